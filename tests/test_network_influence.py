"""Influence in small networks, in float64, against the dense Gauss-Newton matrix and Hessian, and against retraining by value."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo  # the first of torch.func's products does, for seconds: once for all mutants
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.func import functional_call, grad_and_value, hessian, jacrev

from influence import SoftmaxFit, Solution, SolverError, softmax_influence
from influence import network as module
from influence.network import (
    CURVATURES,
    DAMPINGS,
    Curvature,
    Damped,
    LabelledTensors,
    NetworkInfluence,
    Parameters,
    curvature_product,
    largest_eigenvalue,
    network_influence,
    summed_gradient,
    thinned,
)
from models.architectures import build
from models.softmax_regression import fit_softmax

K = 3


def problem(seed: int = 0) -> tuple[LabelledTensors, LabelledTensors]:
    """60 training and 30 validation pictures of 8 x 8, three classes, a fifth of the training labels wrong."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, 90)
    x = rng.standard_normal((90, 1, 8, 8)) + 2 * (np.arange(64) % K == labels[:, None]).reshape(90, 1, 8, 8)
    given = np.where(rng.random(90) < 0.2, (labels + 1) % K, labels)
    rows = torch.from_numpy(x)
    return LabelledTensors(rows[:60], torch.from_numpy(given[:60])), LabelledTensors(rows[60:], torch.from_numpy(labels[60:]))


def small(kind: str) -> nn.Module:
    torch.manual_seed(0)
    if kind == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, K)).double()
    layers = nn.Conv2d(1, 2, 3, stride=2), nn.BatchNorm2d(2), nn.Softplus(), nn.Flatten(), nn.Linear(18, K)
    return nn.Sequential(*layers).double()


def dense(network: nn.Module, data: LabelledTensors) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """J (n, K, p), p (n, K) and the Gauss-Newton matrix, a sample at a time."""
    network.eval()
    values = {name: value.detach() for name, value in network.named_parameters()}
    parts = jacrev(lambda given: functional_call(network, given, (data.x,)))(values)
    jacobian = torch.cat([part.flatten(2) for part in parts.values()], dim=2).numpy()
    p = functional_call(network, values, (data.x,)).softmax(1).numpy()
    matrix = sum(j.T @ (np.diag(q) - np.outer(q, q)) @ j for j, q in zip(jacobian, p, strict=True))
    return jacobian, p, np.asarray(matrix)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("batch", [1, 7, 10, 60])
def test_product_and_gradient_are_those_of_the_dense_matrix_however_it_is_batched(kind: str, batch: int) -> None:
    network, (train, _) = small(kind), problem()
    jacobian, p, matrix = dense(network, train)
    parts = Parameters(network.eval())
    vector = np.random.default_rng(1).standard_normal(parts.size)
    np.testing.assert_allclose(curvature_product(parts, train, batch)(vector), matrix @ vector, rtol=1e-9, atol=1e-9)
    slopes = p - np.eye(K)[train.labels.numpy()]
    np.testing.assert_allclose(summed_gradient(parts, train, batch), np.einsum("nkp,nk->p", jacobian, slopes), rtol=1e-9, atol=1e-9)
    largest = np.linalg.eigvalsh(matrix)[-1]
    assert 0.9 * largest < largest_eigenvalue(curvature_product(parts, train, batch), parts.size) <= largest * (1 + 1e-9)


def found(network: nn.Module, batch: int = 1_000, damping: float | None = 0.5) -> NetworkInfluence:
    return network_influence(network, *problem(), damping=damping, rtol=1e-10, batch=batch)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("batch", [pytest.param(1, marks=pytest.mark.slow), 7, 10, 60])
def test_phi_and_eta_are_those_of_the_dense_matrix_however_it_is_batched(kind: str, batch: int) -> None:
    network, (train, validation) = small(kind), problem()
    jacobian, p, matrix = dense(network, train)
    jacobian_validation, p_validation, _ = dense(network, validation)
    target = np.einsum("nkp,nk->p", jacobian_validation, p_validation - np.eye(K)[validation.labels.numpy()])
    u = np.linalg.solve(matrix + 0.5 * np.eye(len(matrix)), target)
    scores = found(network, batch).scores
    labels = train.labels.numpy()
    for i in range(60):
        gradients = [jacobian[i].T @ (p[i] - np.eye(K)[k]) for k in range(K)]
        assert scores.phi[i] == pytest.approx(-gradients[labels[i]] @ u, rel=1e-6, abs=1e-9)
        for k in range(K):
            assert scores.eta_labels[i, k] == pytest.approx(-(gradients[k] - gradients[labels[i]]) @ u, rel=1e-6, abs=1e-9)
    np.testing.assert_allclose(scores.eta, -scores.phi / (1 - p[np.arange(60), labels]), rtol=1e-8)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("batch", [1, 7, 10, 60])
def test_the_hessian_product_is_that_of_the_dense_hessian_however_it_is_batched(kind: str, batch: int) -> None:
    network, (train, _) = small(kind).eval(), problem()
    parts = Parameters(network)
    vector = np.random.default_rng(1).standard_normal(parts.size)
    expected = dense_hessian(objective(network, train, 0.0), values_of(parts)) @ vector
    np.testing.assert_allclose(curvature_product(parts, train, batch, "hessian")(vector), expected, rtol=1e-9, atol=1e-9)


Loss = Callable[[torch.Tensor], torch.Tensor]


def objective(
    network: nn.Module, data: LabelledTensors, penalty: float, i: int = 0, k: int | None = None, eps: float = 0.0
) -> Loss:
    """sum_i l_i + penalty / 2 |theta|^2 of one vector, and eps l_i or, with a label k, eps (l_i(k) - l_i)."""
    parts = Parameters(network)

    def loss(vector: torch.Tensor) -> torch.Tensor:
        pieces = vector.split([value.numel() for value in parts.values.values()])
        values = {name: piece.view_as(parts.values[name]) for name, piece in zip(parts.values, pieces, strict=True)}
        scores = -parts.logits(data.x)(values).log_softmax(1)
        given = scores[i, data.labels[i]]
        moved = given if k is None else scores[i, k] - given
        return scores.gather(1, data.labels[:, None]).sum() + penalty / 2 * (vector**2).sum() + eps * moved

    return loss


def values_of(parts: Parameters) -> torch.Tensor:
    return torch.from_numpy(parts.join(parts.values))


def dense_hessian(loss: Loss, vector: torch.Tensor) -> np.ndarray:
    return np.asarray(hessian(loss)(vector).numpy())


def minimum(loss: Loss, start: torch.Tensor) -> torch.Tensor:
    """The minimum near `start`, to a gradient of 1e-10: L-BFGS, then Newton's method with the dense Hessian."""

    def value_and_slope(v: np.ndarray) -> tuple[float, np.ndarray]:
        slope, value = grad_and_value(loss)(torch.from_numpy(v))
        return float(value), slope.numpy()

    found = minimize(value_and_slope, start.numpy(), jac=True, method="L-BFGS-B", options={"maxiter": 5_000, "gtol": 1e-5})
    vector = torch.from_numpy(found.x)
    for _ in range(20):
        slope = grad_and_value(loss)(vector)[0]
        if slope.norm() < 1e-10:
            return vector
        vector = vector - torch.linalg.solve(hessian(loss)(vector), slope)
    raise AssertionError(f"no minimum: the gradient is {slope.norm():.3g}")


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_phi_and_eta_of_every_label_are_what_retraining_gives(kind: str) -> None:
    """A small weight is moved to another label, or added, the penalised network fitted again, and the validation loss compared."""
    eps, penalty = 1e-4, 0.5
    network, (train, validation) = small(kind).eval(), problem()
    parts = Parameters(network)
    loss_validation = objective(network, validation, 0.0)
    fitted = minimum(objective(network, train, penalty), values_of(parts))
    with torch.no_grad():
        for value, piece in zip(parts.values.values(), parts.split(fitted.numpy()).values(), strict=True):
            value.copy_(piece)
    scores = network_influence(network, train, validation, penalty, 1e-10, curvature="hessian").scores

    def change(i: int, k: int | None) -> float:
        moved = [minimum(objective(network, train, penalty, i, k, sign * eps), fitted) for sign in (1, -1)]
        return float(loss_validation(moved[0]) - loss_validation(moved[1])) / (2 * eps)

    for i in np.argsort(-np.abs(scores.phi))[[0, 1, 5]]:
        assert change(i, None) == pytest.approx(scores.phi[i], rel=1e-3)
        for k in range(K):
            assert change(i, k) == pytest.approx(scores.eta_labels[i, k], rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_lissa_gives_what_conjugate_gradients_give_to_its_own_residual(kind: str) -> None:
    network = small(kind)
    exact = found(network, damping=20.0)
    lissa = network_influence(network, *problem(), damping=20.0, rtol=0.05, batch=20, solver="lissa")
    assert lissa.scores.solution.residual <= 0.05
    difference = lissa.scores.solution.vector - exact.scores.solution.vector
    condition = 1 + exact.largest / 20.0  # |du| <= |H^-1| residual |v| <= condition residual |u|
    assert np.linalg.norm(difference) <= 0.05 * condition * np.linalg.norm(exact.scores.solution.vector)
    again, other = (network_influence(network, *problem(), 20.0, 0.05, 20, solver="lissa", seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(again.scores.phi, lissa.scores.phi)
    assert not np.array_equal(other.scores.phi, lissa.scores.phi)


def test_lissa_that_diverges_or_does_not_get_there_names_the_damping() -> None:
    network = small("mlp")
    with pytest.raises(SolverError, match=r"LiSSA diverges.* give a larger --damping than 1e-06"):  # the Hessian is indefinite
        network_influence(network, *problem(), damping=1e-6, rtol=1e-3, batch=10, curvature="hessian", solver="lissa")
    with pytest.raises(SolverError, match=r"LiSSA is at a relative residual of .* give a larger --damping than 0.0001"):
        network_influence(network, *problem(), damping=1e-4, rtol=1e-9, batch=30, solver="lissa")


def test_the_hessian_away_from_a_minimum_is_refused() -> None:
    with pytest.raises(SolverError, match=r"not positive definite.*give a larger --damping than 1e-06"):
        network_influence(small("mlp"), *problem(), damping=1e-6, curvature="hessian")


def test_the_network_is_left_as_it_was() -> None:
    network = small("cnn").train()
    network[1].eval()  # type: ignore[index]  # a frozen batch norm stays one
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found(network)
    assert [module.training for module in network] == [True, False, True, True, True]  # type: ignore[attr-defined]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(value.grad is None for value in network.parameters())


def test_a_network_of_one_layer_is_softmax_regression() -> None:
    """J of the penalty 1/2 |W|^2 has the Hessian that damping 1 makes; there is nothing else in it."""
    train, validation = problem()
    x, x_validation = (part.x.flatten(1).numpy() for part in (train, validation))
    labels, labels_validation = train.labels.numpy(), validation.labels.numpy()
    w = fit_softmax(x, labels, K, 1.0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, K, bias=False)).double()
    with torch.no_grad():
        next(network.parameters()).copy_(torch.from_numpy(w))
    fits = SoftmaxFit(x, labels, x @ w.T), SoftmaxFit(x_validation, labels_validation, x_validation @ w.T)
    expected = softmax_influence(*fits, 1.0)
    np.testing.assert_allclose(found(network, damping=1.0).scores.eta_labels, expected.eta_labels, rtol=1e-5, atol=1e-6)


def separation_by_hand(network: nn.Module, share: float) -> float:
    """How well Phi of one half's labels, by u of the other half, tells the right ones from the wrong ones."""
    train, validation = problem()
    matrix = dense(network, train)[2]
    damped = matrix + share * np.linalg.eigvalsh(matrix)[-1] * np.eye(len(matrix))
    areas = []
    for own, other in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        jacobian, p, _ = dense(network, LabelledTensors(validation.x[own], validation.labels[own]))
        target = np.einsum("nkp,nk->p", jacobian, p - np.eye(K)[validation.labels[own]])
        jacobian, p, _ = dense(network, LabelledTensors(validation.x[other], validation.labels[other]))
        along = jacobian @ np.linalg.solve(damped, target)
        right = np.eye(K, dtype=bool)[validation.labels[other]]
        phi = np.einsum("kl,nl->nk", np.eye(K), along) - (p * along).sum(1, keepdims=True)
        areas.append(float(roc_auc_score(~right.ravel(), phi.ravel())))
    return float(np.mean(areas))


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_the_damping_is_the_one_that_tells_held_out_labels_apart(kind: str) -> None:
    network, (train, validation) = small(kind), problem()
    expected = [separation_by_hand(network, share) for share in DAMPINGS]
    best = next((place for place in range(4) if expected[place + 1] <= expected[place]), 4)
    result = network_influence(network, train, validation, rtol=1e-8)
    assert result.damping == pytest.approx(DAMPINGS[best] * result.largest)
    few = LabelledTensors(validation.x[:19], validation.labels[:19])
    result = network_influence(network, train, few, rtol=1e-8)
    assert result.damping == pytest.approx(DAMPINGS[0] * result.largest)


def test_where_the_hessian_is_not_positive_definite_the_damping_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def indefinite(*_: object) -> float:
        raise SolverError("not positive definite")

    monkeypatch.setattr(Damped, "separation", indefinite)
    result = network_influence(small("mlp"), *problem(), rtol=1e-8)
    assert result.damping == pytest.approx(DAMPINGS[0] * result.largest)


def test_float32_networks_are_solved_to_less() -> None:
    network = build("mlp", (1, 8, 8), K, 1)
    train, validation = (LabelledTensors(part.x.float(), part.labels) for part in problem())
    result = network_influence(network, train, validation)
    assert result.scores.solution.residual <= 1e-4
    assert result.scores.phi.shape == (60,)


def test_a_solve_that_does_not_get_there_names_the_damping() -> None:
    network = build("mlp", (1, 8, 8), K, 1)
    train, validation = (LabelledTensors(part.x.float(), part.labels) for part in problem())
    with pytest.raises(SolverError, match="larger --damping"):
        network_influence(network, train, validation, damping=1e-12, rtol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": (slice(0, 0), slice(0, 0))}, "train: has 0 samples and 0 labels"),
        ({"validation": (slice(0, 5), slice(0, 4))}, "validation: has 5 samples and 4 labels"),
        ({"curvature": "fisher"}, "curvature='fisher'"),
        ({"solver": "newton"}, "solver='newton'"),
        ({"batch": 0}, "batch=0"),
        ({"damping": -1.0}, "damping=-1.0"),
        ({"damping": 0.0}, "damping=0.0"),
        ({"damping": float("nan")}, "damping=nan"),
        ({"damping": float("inf")}, "damping=inf"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, Any], message: str) -> None:
    parts = dict(zip(("train", "validation"), problem(), strict=True))
    for name in parts.keys() & change.keys():
        x, labels = change[name]
        parts[name] = LabelledTensors(parts[name].x[x], parts[name].labels[labels])
    with pytest.raises(ValueError, match=message):
        network_influence(small("mlp"), **{**parts, **change, **parts})


Refused = tuple[nn.Module, LabelledTensors, dict[str, Any]]
REFUSALS: dict[str, Callable[[LabelledTensors], Refused]] = {
    "curvature='gauss-newton', solver='cg', batch=0, damping=None: expected a curvature of ('gauss-newton', 'hessian'), a solver of"
    " ('cg', 'lissa'), a batch of 1 or more and a damping above 0 (or None)": lambda train: (small("mlp"), train, {"batch": 0}),
    "train: has 60 samples and 9 labels, expected equally many, and at least one": lambda train: (
        small("mlp"),
        train._replace(labels=train.labels[:9]),
        {},
    ),
    "train: has labels from -1 to 1, expected 0 to 2, for 3 logits": lambda train: (
        small("mlp"),
        train._replace(labels=train.labels - 1),
        {},
    ),
    "train: has labels from 1 to 3, expected 0 to 2, for 3 logits": lambda train: (
        small("mlp"),
        train._replace(labels=train.labels + 1),
        {},
    ),
    "train: has labels of torch.int32, expected torch.int64": lambda train: (
        small("mlp"),
        train._replace(labels=train.labels.int()),
        {},
    ),
    "network: no parameter is trainable, expected one or more with requires_grad": lambda train: (
        small("mlp").requires_grad_(False),
        train,
        {},
    ),
    "network: gives 1 logits a sample, expected one for each of 2 or more classes": lambda train: (
        nn.Sequential(nn.Flatten(), nn.Linear(64, 1)).double(),
        train._replace(labels=train.labels % 2),
        {},
    ),
}


@pytest.mark.parametrize(("message", "refused"), REFUSALS.items())
def test_a_refusal_says_what_is_expected_and_changes_nothing(message: str, refused: Callable[[LabelledTensors], Refused]) -> None:
    train, validation = problem()
    network, data, options = refused(train)
    network.train()
    with pytest.raises(ValueError, match="expected") as error:
        network_influence(network, data, validation._replace(labels=validation.labels % 2), **options)
    assert str(error.value) == message
    assert all(part.training for part in network.modules())  # it is left as it was, whatever comes


def test_one_sample_at_a_time_is_as_good_as_all() -> None:
    train, validation = (LabelledTensors(part.x[:4], part.labels[:4]) for part in problem())
    one, all_ = (network_influence(small("mlp"), train, validation, 0.5, 1e-10, batch).scores for batch in (1, 4))
    np.testing.assert_allclose(one.phi, all_.phi, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_no_more_than_a_batch_is_in_the_network_at_a_time(curvature: Curvature) -> None:
    sizes: list[int] = []

    class Counted(nn.Flatten):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.append(len(x))
            return super().forward(x)

    train, validation = problem()
    network_influence(nn.Sequential(Counted(), nn.Linear(64, K)).double(), train, validation, 1e3, batch=7, curvature=curvature)
    assert max(sizes) == 7


@pytest.mark.parametrize("curvature", CURVATURES)
def test_the_largest_eigenvalue_is_of_the_curvature_that_is_asked_for(curvature: Curvature) -> None:
    network, (train, validation) = small("mlp").eval(), problem()
    parts = Parameters(network)
    expected = largest_eigenvalue(curvature_product(parts, train, curvature=curvature), parts.size)
    result = network_influence(network, train, validation, damping=1e3, curvature=curvature)
    assert result.largest == pytest.approx(expected, rel=1e-6)


def test_of_two_classes_eta_of_the_other_label_is_eta() -> None:
    train, validation = (part._replace(labels=part.labels % 2) for part in problem())
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).double()
    scores = network_influence(network, train, validation, damping=0.5).scores
    np.testing.assert_allclose(scores.eta_labels[np.arange(60), 1 - train.labels.numpy()], scores.eta, rtol=1e-8)
    with pytest.raises(ValueError, match=r"train: has labels from 0 to 2, expected 0 to 1, for 2 logits"):
        network_influence(network, problem()[0], validation)


def test_a_direction_is_in_the_parameters_own_shapes_and_precision() -> None:
    parts = Parameters(small("mlp").float())
    split = parts.split(np.arange(parts.size, dtype=float))
    assert {name: (value.shape, value.dtype) for name, value in split.items()} == {
        name: (value.shape, torch.float32) for name, value in parts.values.items()
    }
    np.testing.assert_array_equal(Parameters.join(split), np.arange(parts.size))


def test_batch_norm_counts_by_its_running_statistics_whatever_mode_it_is_in() -> None:
    trained, evaluated = (found(network).scores for network in (small("cnn").train(), small("cnn").eval()))
    np.testing.assert_array_equal(trained.phi, evaluated.phi)


def test_parameters_that_are_frozen_have_no_part_in_it() -> None:
    """With its first layer frozen the network is softmax regression on what that layer gives."""
    train, validation = problem()
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, K, bias=False)).double()
    network[1].requires_grad_(False)
    with torch.no_grad():
        fits = [SoftmaxFit(network[:3](x).numpy(), labels.numpy(), network(x).numpy()) for x, labels in (train, validation)]
    expected = softmax_influence(fits[0], fits[1], 1.0, 1e-10)
    result = found(network, damping=1.0)
    assert len(result.scores.solution.vector) == 5 * K
    np.testing.assert_allclose(result.scores.eta_labels, expected.eta_labels, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(result.scores.phi, expected.phi, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("n", "kept"), [(4, [0, 1, 2, 3]), (5, [0, 2, 4]), (8, [0, 2, 4, 6]), (9, [0, 3, 6]), (13, [0, 4, 8, 12])])
def test_samples_are_thinned_at_even_distances(n: int, kept: list[int]) -> None:
    thin = thinned(LabelledTensors(torch.arange(n) * 10, torch.arange(n)), 4)
    assert (thin.x.tolist(), thin.labels.tolist()) == ([10 * place for place in kept], kept)


def test_the_largest_eigenvalue_of_a_part_stands_for_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POWER_ROWS", 20)
    network, (train, validation) = small("mlp"), problem()
    part = LabelledTensors(train.x[:20], train.labels[:20])
    thrice = LabelledTensors(part.x.repeat_interleave(3, 0), part.labels.repeat_interleave(3, 0))
    matrix = dense(network, thrice)[2]
    np.testing.assert_allclose(matrix, 3 * dense(network, part)[2], rtol=1e-9, atol=1e-12)
    result = network_influence(network, thrice, validation)
    largest = np.linalg.eigvalsh(matrix)[-1]
    assert 0.9 * largest < result.largest <= largest * (1 + 1e-9)


def test_the_largest_eigenvalue_of_nothing_is_zero_and_of_a_multiple_the_multiple() -> None:
    assert largest_eigenvalue(lambda v: 0 * v, 5) == 0
    assert largest_eigenvalue(lambda v: 7 * v, 5) == pytest.approx(7)


@pytest.mark.parametrize(("batch", "steps"), [(60, 1), (59, 2), (20, 3), (1_000, 1)])
def test_lissa_is_told_the_largest_eigenvalue_and_the_batches_of_a_pass(
    batch: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of all samples is all of them, each once: a sample of H is then H; of other batches it is H on average."""
    told: dict[str, Any] = {}

    def solve(*given: Any) -> Solution:
        told.update(zip(("product", "sampled", "target", "scale", "steps", "rtol", "remedy", "effect"), given, strict=True))
        return Solution(given[2], 0.0, 1)

    monkeypatch.setattr(module, "lissa", solve)
    network, (train, validation) = small("mlp"), problem()
    result = network_influence(network, train, validation, 3.0, batch=batch, solver="lissa")
    assert told["scale"] == pytest.approx(result.largest + 3.0)
    assert (told["steps"], told["rtol"]) == (steps, 0.1)
    assert told["remedy"] == "scale the features, or give a larger --damping than 3"
    np.testing.assert_allclose(told["effect"](told["target"]), result.scores.phi, rtol=1e-6, atol=1e-9)
    _, _, matrix = dense(network, train)
    vector = np.random.default_rng(1).standard_normal(len(matrix))
    expected = matrix @ vector + 3 * vector
    np.testing.assert_allclose(told["product"](vector), expected, rtol=1e-9, atol=1e-9)
    if batch >= 60:
        np.testing.assert_allclose(next(told["sampled"])(vector), expected, rtol=1e-9, atol=1e-9)
    if batch == 20:
        mean = np.mean([next(told["sampled"])(vector) for _ in range(400)], axis=0)
        assert np.linalg.norm(mean - expected) < 0.05 * np.linalg.norm(expected)


def test_a_batch_is_drawn_anew_each_time_and_has_no_sample_twice() -> None:
    network, (train, _) = small("mlp").eval(), problem()
    parts = Parameters(network)
    drawn: list[torch.Tensor] = []

    class Seen(Damped):
        def _product(self, data: LabelledTensors, weight: float = 1.0) -> Any:
            drawn.append(data.x.flatten(1)[:, 0])
            assert weight == pytest.approx(60 / 7)
            return super()._product(data, weight)

    sampled = Seen(parts, train, 7, "gauss-newton", 1.0)._sampled(0)
    for _ in range(50):
        next(sampled)
    assert {len(set(batch.tolist())) for batch in drawn} == {7}
    assert len({value for batch in drawn for value in batch.tolist()}) == 60
