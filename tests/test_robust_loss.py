import math

import numpy as np
import pytest
import torch

from models.robust_loss import rdia_ls_loss, relabeled_losses
from models.settings import OBJECTIVES, Objective


def loop(
    logits: np.ndarray, labels: np.ndarray, clean: list[int], relabeled: list[int], gamma: float, objective: Objective
) -> float:
    """The definition, a sample at a time, by probabilities."""

    def softmax(z: np.ndarray) -> np.ndarray:
        return np.exp(z) / np.exp(z).sum()

    kept = [-np.log(softmax(softmax(logits[i]) if objective == "released" else logits[i])[labels[i]]) for i in clean]
    changed = [-np.log(min(max(1 - softmax(logits[i])[labels[i]], 1e-7), 1)) for i in relabeled]
    mean_changed = np.mean(changed) / (len(labels) if objective == "released" else 1) if changed else 0.0
    return float(gamma * (np.mean(kept) if kept else 0.0) + (1 - gamma) * mean_changed)


def problem(seed: int = 0, scale: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(scale * rng.standard_normal((12, 5))), torch.from_numpy(rng.integers(0, 5, 12))


SPLITS = [([0, 1, 2], [3, 4, 5, 6]), (list(range(12)), []), ([], [0, 5, 11]), ([7], [2]), ([], [])]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("clean", "relabeled"), SPLITS)
@pytest.mark.parametrize("gamma", [0.0, 0.2, 1.0])
def test_the_loss_is_the_loop_over_samples(clean: list[int], relabeled: list[int], gamma: float, objective: Objective) -> None:
    logits, labels = problem()
    loss = rdia_ls_loss(logits, labels, torch.tensor(clean).long(), torch.tensor(relabeled).long(), gamma, objective)
    assert loss.item() == pytest.approx(loop(logits.numpy(), labels.numpy(), clean, relabeled, gamma, objective), rel=1e-12)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("clean", "relabeled"), SPLITS)
def test_the_gradient_is_the_difference_of_losses(clean: list[int], relabeled: list[int], objective: Objective) -> None:
    logits, labels = problem(1)
    places = torch.tensor(clean).long(), torch.tensor(relabeled).long()
    assert torch.autograd.gradcheck(lambda z: rdia_ls_loss(z, labels, *places, 0.3, objective), logits.requires_grad_(), eps=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradient_are_finite_for_any_logits(objective: Objective, size: float, dtype: torch.dtype) -> None:
    logits = torch.tensor([[size, 0, -size], [-size, 0, size], [size, size, -size], [0, 0, 0]], dtype=dtype, requires_grad=True)
    everything = torch.arange(4)
    loss = rdia_ls_loss(logits, torch.zeros(4, dtype=torch.int64), everything, everything, 0.5, objective)
    loss.backward()
    assert math.isfinite(loss.item())
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_relabeled_losses_keep_their_digits_where_one_minus_p_has_lost_them() -> None:
    logits = torch.tensor([[40.0, 0.0, 0.0], [-40.0, 0.0, 0.0]], dtype=torch.float64)
    expected = [40 - math.log(2) + math.log1p(2 * math.exp(-40)), math.log1p(math.exp(-40) / 2)]
    np.testing.assert_allclose(relabeled_losses(logits, torch.tensor([0, 0])).numpy(), expected, rtol=1e-13)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_relabeled_losses_are_the_cross_entropy_with_the_targets_of_r(classes: int) -> None:
    """y'_m = 0 and y'_k = log_{phi_k} (1 - phi_m)^(1 / (K - 1)): sum_k y'_k (-ln phi_k) = -ln(1 - phi_m)."""
    rng = np.random.default_rng(classes)
    logits, labels = rng.standard_normal((20, classes)), rng.integers(0, classes, 20)
    phi = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = np.log(1 - phi[np.arange(20), labels])[:, None] / (classes - 1) / np.log(phi)
    targets[np.arange(20), labels] = 0
    if classes == 2:
        np.testing.assert_allclose(targets, np.eye(2)[1 - labels], atol=1e-12)
    losses = relabeled_losses(torch.from_numpy(logits), torch.from_numpy(labels)).numpy()
    np.testing.assert_allclose(losses, (targets * -np.log(phi)).sum(1), rtol=1e-10)
