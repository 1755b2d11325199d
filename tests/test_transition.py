import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from models.transition import Transition, anchor_transition, confusion_transition, forward_losses

TRUE = np.array([[0.7, 0.2, 0.1], [0.0, 0.6, 0.4], [0.3, 0.0, 0.7]])


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def test_forward_losses_are_the_definition_a_sample_at_a_time() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((20, 3)), rng.integers(0, 3, 20)
    transition = softmax(rng.standard_normal((3, 3)))
    expected = [
        -np.log(sum(softmax(z)[i] * transition[i, y] for i in range(3))) for z, y in zip(logits, labels, strict=True)
    ]  # fmt: skip
    found = forward_losses(*(torch.from_numpy(part) for part in (logits, np.log(transition), labels)))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_behind_the_identity_it_is_the_cross_entropy() -> None:
    logits, labels = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 4
    identity = torch.eye(4).clamp(min=1e-30).log()
    torch.testing.assert_close(
        forward_losses(logits, identity, labels), torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    )


def test_with_the_true_transition_the_expected_loss_is_least_at_the_clean_classifier() -> None:
    clean = np.array([0.6, 0.3, 0.1])  # of the true label, at one picture
    given = clean @ TRUE  # of the label that is given
    log_transition = torch.from_numpy(np.log(np.maximum(TRUE, 1e-12)))

    def expected(logits: np.ndarray) -> float:
        rows = torch.from_numpy(np.tile(logits, (3, 1)))
        return float(given @ forward_losses(rows, log_transition, torch.arange(3)).numpy())

    found = minimize(expected, np.zeros(3), tol=1e-12)
    np.testing.assert_allclose(softmax(found.x), clean, atol=1e-4)
    np.testing.assert_allclose(softmax(minimize(lambda z: -given @ np.log(softmax(z)), np.zeros(3)).x), given, atol=1e-4)


@pytest.mark.parametrize("learned", [False, True])
def test_a_calibrated_network_gives_the_true_transition(learned: bool) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 60_000)
    labels = torch.from_numpy(np.array([rng.choice(3, p=TRUE[k]) for k in truth[:6000]]))
    # The network for the estimate by anchors has learned the noise; the one for S-model's start, the truth.
    probabilities = torch.from_numpy(np.eye(3)[truth[:6000]] if learned else TRUE[truth[:6000]])
    transition = Transition(3, learned).double()
    transition.estimate(probabilities, labels)
    np.testing.assert_allclose(transition(torch.empty(0)).exp().detach().numpy(), TRUE, atol=0.03)
    assert transition.scores.requires_grad is learned


def test_the_anchor_is_not_the_outlier() -> None:
    probabilities = torch.tensor([[0.8, 0.2]] * 99 + [[1.0, 0.0]])
    assert anchor_transition(probabilities)[0].tolist() == pytest.approx([0.8, 0.2])


def test_rows_of_a_class_that_nothing_is_taken_for_are_finite() -> None:
    probabilities, labels = torch.tensor([[1.0, 0.0]] * 4), torch.tensor([0, 0, 1, 1])
    assert confusion_transition(probabilities, labels).tolist() == [[0.5, 0.5], [0.0, 0.0]]
    transition = Transition(2, learned=True)
    transition.estimate(probabilities, labels)
    np.testing.assert_allclose(transition(probabilities).exp().detach().numpy(), [[0.5, 0.5], [0.5, 0.5]], rtol=1e-5)


@pytest.mark.parametrize(("n", "place"), [(100, 97), (200, 194), (3, 2), (1, 1)])
def test_the_anchor_is_at_the_97_per_cent_quantile(n: int, place: int) -> None:
    """Of n samples with phi_0 = 1/n, 2/n, ..., 1 in any order: the one that is number `place` from below."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0)) + 1
    first = order.double() / n
    found = anchor_transition(torch.stack([first, 1 - first], 1))
    assert found[0].tolist() == pytest.approx([place / n, 1 - place / n])
    assert found[1].tolist() == pytest.approx([1 - (place - 1) / n, (place - 1) / n])
