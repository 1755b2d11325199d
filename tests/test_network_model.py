"""RDIA's fits of networks: what they minimise, and that nothing but the labels differs between them."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import Tensor

from influence import harmful
from models.metrics import evaluate
from models.model import refit
from models.network_model import Fitting, NetworkModel, channels_first, training_losses, unsuited
from models.settings import Network
from tests.problems import digits


def model(shape: tuple[int, ...] = (8, 8), classes: int = 2, network: Network = "mlp", steps: int = 10) -> NetworkModel:
    return NetworkModel(classes, shape, network, 1, 2, torch.device("cpu"), fitting=Fitting(steps, least_steps=1))


def parameters(network: torch.nn.Module) -> Tensor:
    return torch.cat([value.detach().flatten() for value in network.parameters()])


def test_losses_are_those_of_a_loop_in_float64() -> None:
    rng = np.random.default_rng(0)
    logits, labels, relabeled = rng.standard_normal((20, 4)) * 5, rng.integers(0, 4, 20), rng.random(20) < 0.5
    found = training_losses(torch.from_numpy(logits), torch.from_numpy(labels), torch.from_numpy(relabeled))
    for row, label, changed, loss in zip(logits, labels, relabeled, found.tolist(), strict=True):
        p = np.exp(row) / np.exp(row).sum()
        assert loss == pytest.approx(-np.log(1 - p[label] if changed else p[label]), rel=1e-9)


def test_a_fit_hangs_on_the_seeds_and_the_labels_alone() -> None:
    problem = digits()
    fitted = model()
    x = fitted.inputs(problem.x)
    first = parameters(fitted.fit(x, problem.labels))
    torch.manual_seed(99)
    assert torch.equal(first, parameters(fitted.fit(x, problem.labels)))
    nothing = np.zeros(len(problem.labels), dtype=bool)
    torch.testing.assert_close(first, parameters(fitted.fit(x, problem.labels, nothing)))
    assert not torch.equal(first, parameters(fitted._replace(order_seed=3).fit(x, problem.labels)))
    assert not torch.equal(first, parameters(fitted._replace(start_seed=3).fit(x, problem.labels)))


@pytest.mark.parametrize("mode", ["R", "best", "drop"])
def test_relabeling_mends_a_network_trained_on_wrong_labels(mode: str) -> None:
    problem = digits()
    fitted = model(steps=100)
    x, x_validation = fitted.inputs(problem.x), fitted.inputs(problem.x_validation)
    erm = fitted.fit(x, problem.labels)
    scores = fitted.influence(x, problem.labels, x_validation, problem.labels_validation, erm)
    assert scores.largest
    assert scores.damping is not None
    assert 0 < scores.damping <= 0.1 * scores.largest * (1 + 1e-9)
    assert scores.residual <= 1e-4
    chosen = harmful(scores.phi, 0.0)
    mended = refit(fitted, x, problem.labels, scores, chosen, mode)  # type: ignore[arg-type]
    before, after = (
        evaluate(fitted.logits(x_validation, weights), problem.labels_validation).log_loss for weights in (erm, mended)
    )
    assert after < before / 2


def test_with_two_classes_r_is_the_flip() -> None:
    problem = digits()
    fitted = model(steps=3)
    x, chosen = fitted.inputs(problem.x), np.arange(len(problem.labels)) % 3 == 0
    by_loss = fitted.fit(x, problem.labels, chosen)
    by_label = fitted.fit(x, np.where(chosen, 1 - problem.labels, problem.labels))
    torch.testing.assert_close(parameters(by_loss), parameters(by_label), rtol=1e-3, atol=1e-5)


def test_no_rows_leave_the_network_as_it_starts() -> None:
    fitted = model()
    x = fitted.inputs(np.zeros((0, 64)))
    assert torch.equal(
        parameters(fitted.fit(x, np.zeros(0, dtype=np.int64))), parameters(fitted.fit(x, np.zeros(0, dtype=np.int64)))
    )


def test_logits_of_two_classes_are_one_column() -> None:
    problem = digits()
    fitted = model(steps=1)
    x = fitted.inputs(problem.x)
    network = fitted.fit(x, problem.labels)
    both = network(x).detach().double().numpy()
    np.testing.assert_allclose(fitted.logits(x, network), both[:, 1] - both[:, 0])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((6,), (2, 1, 1, 6)), ((2, 3), (2, 1, 2, 3)), ((2, 1, 3), (2, 3, 2, 1)), ((3, 2, 1), (2, 1, 3, 2)), ((1, 2, 4), (2, 1, 2, 4))],
)
def test_pictures_of_any_layout_have_their_channels_first(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    size = int(np.prod(shape))
    rows = torch.arange(2 * size).view(2, size)
    found = channels_first(rows, shape)
    assert found.shape == expected
    if shape[-1] == 3 and len(shape) == 3:
        assert found[1, 2, 1, 0] == rows.view(2, *shape)[1, 1, 0, 2]
    else:
        assert torch.equal(found.flatten(1), rows)


def test_sparse_rows_are_made_dense() -> None:
    x = sp.random_array((5, 6), density=0.4, format="csr", rng=np.random.default_rng(0))
    np.testing.assert_allclose(model((6,)).inputs(x).flatten(1).numpy(), x.toarray(), rtol=1e-6)


def test_a_network_that_does_not_suit_the_rows_is_refused_in_words() -> None:
    assert unsuited("cnn", (8, 8), 10) is None
    assert unsuited("mlp", (30,), 10) is None
    assert unsuited("cnn", (30,), 10) == "needs pictures of 8 by 8 or more, these rows are 30; use mlp"
    assert "are 7 by 9" in (unsuited("cnn", (7, 9), 10) or "")
    assert "40 GiB" in (unsuited("mlp", (1_000_000,), 10_737) or "")
