"""Softmax regression: the fit, and the influence of every label, against independent fits by dense Newton steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.special
from sklearn.datasets import load_wine

from influence import SolverError, softmax
from influence.softmax import LabelInfluence, SoftmaxFit, label_slope, relabeled_probabilities, softmax_influence
from models import softmax_regression
from models.logistic_regression import fit_logistic
from models.softmax_regression import Problem, fit_softmax, softmax_losses, softmax_relabeled_losses
from tests.problems import wdbc

C, K = 0.1, 3
Kind = Callable[[np.ndarray], Any]
KINDS = [np.asarray, sp.csr_array]


class Wine:
    """scikit-learn's wine, 13 standardised features and three classes, a third of the training labels wrong."""

    def __init__(self) -> None:
        x, y = load_wine(return_X_y=True)
        rng = np.random.default_rng(5)
        order = rng.permutation(len(y))
        x, y = ((x - x.mean(axis=0)) / x.std(axis=0))[order], y[order]
        self.x, self.x_validation, self.y_validation = x[:110], x[110:], y[110:]
        self.labels = np.where(rng.random(110) < 1 / 3, (y[:110] + rng.integers(1, K, 110)) % K, y[:110])


WINE = Wine()


def probabilities(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def newton(x: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """argmin 1/2 |W|^2 + C sum_i sum_k T_ik (-ln phi_ik), (K, d), with the dense Hessian, to the last digit."""
    classes, d = targets.shape[1], x.shape[1]
    w = np.zeros((classes, d))
    slope = np.ones(1)
    while np.linalg.norm(slope) > 1e-10:
        p, total = probabilities(x @ w.T), targets.sum(axis=1, keepdims=True)
        slope = w + C * (total * p - targets).T @ x
        hessian = np.eye(classes * d)
        for row, phi, weight in zip(x, p, total, strict=True):
            hessian += C * weight * np.kron(np.diag(phi) - np.outer(phi, phi), np.outer(row, row))
        w = w - np.linalg.solve(hessian, slope.ravel()).reshape(w.shape)
    return w


def validation_loss(w: np.ndarray) -> float:
    return float(sum(-np.log(phi[y]) for phi, y in zip(probabilities(WINE.x_validation @ w.T), WINE.y_validation, strict=True)))


def influence(kind: Kind = np.asarray) -> tuple[np.ndarray, LabelInfluence]:
    x, x_validation = kind(WINE.x), kind(WINE.x_validation)
    w = fit_softmax(x, WINE.labels, K, C)
    return w, softmax_influence(
        SoftmaxFit(x, WINE.labels, x @ w.T), SoftmaxFit(x_validation, WINE.y_validation, x_validation @ w.T), C
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_fit_is_the_minimum(kind: Kind) -> None:
    np.testing.assert_allclose(fit_softmax(kind(WINE.x), WINE.labels, K, C), newton(WINE.x, np.eye(K)[WINE.labels]), atol=1e-6)


def test_two_classes_are_logistic_regression_with_twice_the_weight() -> None:
    """|W|^2 is half of |w_1 - w_0|^2 at the minimum, where w_1 = -w_0."""
    problem = wdbc()
    w = fit_softmax(problem.x, problem.labels, 2, C)
    np.testing.assert_allclose(w[1] - w[0], fit_logistic(problem.x, problem.labels, 2 * C), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refit_on_relabeled_samples_has_no_gradient_and_a_lower_objective(kind: Kind) -> None:
    relabeled = np.arange(110) % 3 == 0
    problem = Problem(kind(WINE.x), WINE.labels, K, C, relabeled)
    w = fit_softmax(problem.x, WINE.labels, K, C, relabeled)
    zero = np.zeros_like(w)
    assert np.linalg.norm(problem.gradient(w)) <= 1e-7 * np.linalg.norm(problem.gradient(zero))
    assert problem.objective(w) < problem.objective(fit_softmax(problem.x, WINE.labels, K, C))
    assert np.linalg.eigvalsh(np.array([problem.hvp(problem.at(w))(v) for v in np.eye(w.size)])).min() > 0


def test_an_empty_mask_is_plain_cross_entropy_and_no_rows_are_the_penalty() -> None:
    none = np.zeros(110, dtype=bool)
    np.testing.assert_array_equal(fit_softmax(WINE.x, WINE.labels, K, C, none), fit_softmax(WINE.x, WINE.labels, K, C))
    assert not fit_softmax(np.empty((0, 4)), np.empty(0, dtype=int), K, C).any()


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_and_hessian_are_the_differences(share: float, kind: Kind) -> None:
    rng = np.random.default_rng(1)
    problem = Problem(kind(WINE.x), WINE.labels, K, C, rng.random(110) < share)
    w, v = rng.standard_normal((2, K, 13)) / 2
    ahead, behind = (problem.objective(w + step * v) for step in (1e-5, -1e-5))
    assert (problem.gradient(w) * v).sum() == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)
    difference = (problem.gradient(w + 1e-5 * v) - problem.gradient(w - 1e-5 * v)) / 2e-5
    np.testing.assert_allclose(problem.hvp(problem.at(w))(v.ravel()), difference.ravel(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("size", [1e2, 1e5, 1e300])
def test_losses_and_slopes_are_finite_for_any_finite_logits(size: float) -> None:
    logits, labels = np.array([[size, 0, -size], [-size, 0, size], [0, 0, 0], [size, size, 0]]), np.array([0, 0, 0, 2])
    for found in (softmax_losses(logits, labels), softmax_relabeled_losses(logits, labels), label_slope(logits, labels)):
        assert np.isfinite(found).all()
    np.testing.assert_allclose(relabeled_probabilities(logits, labels).sum(axis=1), 1)


def test_losses_are_the_definition() -> None:
    logits, labels = np.random.default_rng(2).standard_normal((20, K)), np.arange(20) % K
    given = probabilities(logits)[np.arange(20), labels]
    np.testing.assert_allclose(softmax_losses(logits, labels), -np.log(given), rtol=1e-12)
    np.testing.assert_allclose(softmax_relabeled_losses(logits, labels), -np.log(1 - given), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_phi_is_the_loss_that_a_little_more_weight_brings(kind: Kind) -> None:
    _, found = influence(kind)
    eps, targets = 1e-4, np.eye(K)[WINE.labels]
    for i in np.argsort(-np.abs(found.phi))[:5]:
        losses = []
        for sign in (1, -1):
            moved = targets.copy()
            moved[i] *= 1 + sign * eps
            losses.append(validation_loss(newton(WINE.x, moved)))
        assert found.phi[i] / C == pytest.approx((losses[0] - losses[1]) / (2 * eps), rel=1e-5)


def test_eta_of_every_label_is_the_loss_that_moving_to_it_brings() -> None:
    _, found = influence()
    eps, targets = 1e-4, np.eye(K)[WINE.labels]
    for i in np.argsort(-np.abs(found.phi))[:5]:
        for k in range(K):
            losses = []
            for sign in (1, -1):
                moved = targets.copy()
                moved[i] += sign * eps * (np.eye(K)[k] - np.eye(K)[WINE.labels[i]])
                losses.append(validation_loss(newton(WINE.x, moved)))
            assert found.eta_labels[i, k] / C == pytest.approx((losses[0] - losses[1]) / (2 * eps), rel=1e-5, abs=1e-9)


def test_relabeling_by_r_is_to_drop_more_than_to_drop() -> None:
    """eta = -Phi / (1 - phi_m), and it is the mean over the other labels by their probabilities."""
    w, found = influence()
    phi_m = probabilities(WINE.x @ w.T)[np.arange(110), WINE.labels]
    np.testing.assert_allclose(found.eta, -found.phi / (1 - phi_m), rtol=1e-9)
    assert not found.eta_labels[np.arange(110), WINE.labels].any()


def test_one_sample_relabeled_by_r_and_fitted_again_lowers_the_loss_as_predicted() -> None:
    _, found = influence()
    before = validation_loss(fit_softmax(WINE.x, WINE.labels, K, C))
    for i in np.argsort(found.eta)[:3]:
        after = validation_loss(fit_softmax(WINE.x, WINE.labels, K, C, np.arange(110) == i))
        assert after - before == pytest.approx(found.eta[i] / C, rel=0.25)  # a whole sample: first order, no more
        assert after < before


def test_without_a_factor_it_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    w, found = influence()
    monkeypatch.setattr(softmax, "CHOLESKY_MAX", 0)
    again, other = influence()
    np.testing.assert_allclose(again, w, atol=1e-6)
    np.testing.assert_allclose(other.phi, found.phi, rtol=1e-5, atol=1e-8)
    assert other.solution.iterations > found.solution.iterations


def solved(parts: softmax.Preconditioner, d: int) -> np.ndarray:
    """P^-1, (K d, K d)."""
    return np.array([parts.solve(row.reshape(K, d)).ravel() for row in np.eye(K * d)])


def factored_by_loop(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """1 + M (x) G; M's eigenvalues are rounded to powers of 2, and rows that carry 95% of the weight are those that G is of."""
    w = np.array([1 - q @ q for q in p])
    shares, vectors = np.linalg.eigh(2 * sum(np.diag(q) - np.outer(q, q) for q in p) / w.sum())
    shares[1:] = [2.0 ** round(np.log2(share)) for share in shares[1:]]
    shares[0] = 0  # that all logits rise by the same is nothing
    rows: list[int] = []
    for i in np.argsort(-w):
        if w[rows].sum() < (0.95 if len(x) >= x.shape[1] else 1) * w.sum():
            rows.append(int(i))
    features = C / 2 * w.sum() / w[rows].sum() * sum(w[i] * np.outer(x[i], x[i]) for i in rows)
    return np.eye(x.shape[1] * K) + np.kron(vectors * shares @ vectors.T, features)


def mean_by_loop(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """H's diagonal and its part of rank one, as if the classes were all alike."""
    c = [C / 2 * (1 - q @ q) for q in p]
    hessian = np.eye(x.shape[1]) + sum(ci * np.outer(row, row) for ci, row in zip(c, x, strict=True))
    mean = sum(ci * row for ci, row in zip(c, x, strict=True)) / np.sqrt(sum(c))
    return np.kron(np.eye(K), np.diag(np.maximum(np.diag(hessian) - mean**2, 1)) + np.outer(mean, mean))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 12, 13, 110])
@pytest.mark.parametrize("factored", [True, False])
def test_the_preconditioner_is_its_definition(factored: bool, n: int, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "CHOLESKY_MAX", min(n, 13) - (not factored))
    monkeypatch.setattr(softmax, "ITERATIONS", 1e9)
    x = WINE.x[:n]
    p = probabilities(x @ np.random.default_rng(3).standard_normal((K, 13)).T / 10)
    parts = softmax.softmax_preconditioner(kind(x), p, C)
    expected = factored_by_loop(x, p) if factored else mean_by_loop(x, p)
    np.testing.assert_allclose(solved(parts, 13) @ expected, np.eye(K * 13), atol=1e-10)
    assert (parts.worth > 0) is factored


def test_where_all_are_as_likely_the_factored_preconditioner_is_the_hessian_but_for_a_constant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(softmax, "CARRIED", 1.0)
    p = np.full((110, K), 1 / K)
    product = softmax.softmax_hvp(WINE.x, p, C)
    hessian = np.array([product(row) for row in np.eye(K * 13)])
    np.testing.assert_allclose(solved(softmax.softmax_preconditioner(WINE.x, p, C), 13) @ hessian, np.eye(K * 13), atol=1e-10)


def words(n: int, d: int) -> np.ndarray:
    """Rows of length 1, a tenth of the values not 0."""
    rng = np.random.default_rng(7)
    x = rng.random((n, d)) * (rng.random((n, d)) < 0.1)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)


class Case(NamedTuple):
    """Rows, and how the preconditioner of a fit to them begins."""

    x: Any
    factored: bool
    dual: bool = False  # the factor is of the rows' products


CASES = {
    "tall dense": Case(WINE.x, True),
    "tall sparse": Case(sp.csr_array(50 * words(60, 20)), True),
    "wide dense": Case(np.random.default_rng(6).random((20, 60)), True, True),
    "wide sparse of many values": Case(sp.csr_array(100 * words(20, 60)), True, True),
    "wide sparse": Case(sp.csr_array(words(60, 100)), False),
    "square sparse": Case(sp.csr_array(words(60, 60)), False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fit_by_each_preconditioner_is_the_minimum(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, factored, dual = CASES[name]
    n, labels = x.shape[0], np.minimum(np.random.default_rng(8).integers(0, 9, x.shape[0]), K - 1)  # a class of most
    grams: list[bool] = []
    original = softmax._gram

    def gram(x: Any, c: np.ndarray) -> softmax.Gram:
        found = original(x, c)
        grams.append(found.rows is not None)
        return found

    monkeypatch.setattr(softmax, "_gram", gram)
    dense = x.toarray() if sp.issparse(x) else x
    expected = newton(dense, np.eye(K)[labels])
    np.testing.assert_allclose(fit_softmax(x, labels, K, C), expected, atol=1e-6)
    assert grams[:1] == [dual] * factored
    found = softmax_influence(
        SoftmaxFit(x, labels, x @ expected.T), SoftmaxFit(x[: n // 2], labels[: n // 2], x[: n // 2] @ expected.T), C
    )
    product = softmax.softmax_hvp(dense, probabilities(dense @ expected.T), C)
    hessian = np.array([product(row) for row in np.eye(expected.size)])
    slope = C * (probabilities(dense[: n // 2] @ expected.T) - np.eye(K)[labels[: n // 2]]).T @ dense[: n // 2]
    np.testing.assert_allclose(found.solution.vector, np.linalg.solve(hessian, slope.ravel()), atol=1e-7 * np.abs(slope).max())


@pytest.mark.parametrize(
    ("shape", "stored", "classes", "iterations"),
    [
        ((1_900, 500), 22_639, 5, 500),  # text: measured, a factor takes as long as 150
        ((1_900, 12_000), 22_639, 5, 2_600),
        ((11_000, 100_000), 660_000, 20, 4_300),
        ((10_000, 3_072), 30_720_000, 10, 39),  # pictures: 50
        ((60_000, 784), 8_994_156, 10, 52),  # MNIST: 14
        ((200, 10_000), 2_000_000, 3, 9),
    ],
)
def test_what_a_factor_is_worth(shape: tuple[int, int], stored: int, classes: int, iterations: float) -> None:
    assert softmax.factor_worth(*shape, stored, classes) == pytest.approx(iterations, rel=0.15)


def test_a_product_is_of_matrices_and_of_their_rows_and_columns_in_a_row() -> None:
    rng = np.random.default_rng(9)
    p, v = probabilities(rng.standard_normal((110, K))), rng.standard_normal((K, 13))
    product = softmax.softmax_hvp(WINE.x, p, C)
    np.testing.assert_allclose(product(v.ravel()), product(v).ravel(), rtol=1e-14)
    np.testing.assert_allclose(softmax.by_columns(product, K)(v.T.ravel()), product(v).T.ravel(), rtol=1e-14)


def test_softmax_is_scipys() -> None:
    logits = np.random.default_rng(2).standard_normal((20, K)) * 100
    logits[3, 1] = -np.inf
    np.testing.assert_allclose(softmax.softmax(logits), scipy.special.softmax(logits, axis=1), rtol=1e-13)
    np.testing.assert_allclose(softmax.logsumexp(logits), scipy.special.logsumexp(logits, axis=1), rtol=1e-14)


@pytest.mark.parametrize("size", [1e3, 1e8, 1e15])
def test_large_features_of_low_rank_have_a_factor(size: float) -> None:
    x = size * np.outer(np.arange(1.0, 21.0), np.ones(10))
    residual = np.random.default_rng(1).standard_normal((K, 10))
    found = softmax.softmax_preconditioner(x, np.full((20, K), 1 / K), C).solve(residual)
    assert 0 < (found * residual).sum() < 2 * (residual**2).sum()


@pytest.mark.parametrize("rtol", [1e-1, 1e-4, 1e-8, 1e-11])
def test_the_solve_goes_as_far_as_it_is_told(rtol: float) -> None:
    w = fit_softmax(WINE.x, WINE.labels, K, C)
    fits = SoftmaxFit(WINE.x, WINE.labels, WINE.x @ w.T), SoftmaxFit(WINE.x_validation, WINE.y_validation, WINE.x_validation @ w.T)
    residual = softmax_influence(*fits, C, rtol).solution.residual
    assert rtol / 1e3 < residual <= rtol
    assert 1e-11 < softmax_influence(*fits, C).solution.residual <= 1e-8


def test_a_slope_keeps_its_digits_where_the_probability_rounds_to_one() -> None:
    tail = np.exp(-40.0)
    np.testing.assert_allclose(
        label_slope(np.array([[40.0, 0.0, 0.0]]), np.array([0])), [[-2 * tail, tail, tail]], rtol=1e-14, atol=0
    )


def test_a_fit_goes_on_from_its_start() -> None:
    w = fit_softmax(WINE.x, WINE.labels, K, C)
    np.testing.assert_array_equal(fit_softmax(WINE.x, WINE.labels, K, C, start=w), w)
    start = np.random.default_rng(1).standard_normal((K, 13))  # its rows do not add up to 0
    before = start.copy()
    np.testing.assert_allclose(fit_softmax(WINE.x, WINE.labels, K, C, start=start), w, atol=1e-6)
    np.testing.assert_array_equal(start, before)


def test_a_fit_that_does_not_get_there_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.softmax_regression.SOFTMAX_STEPS", 1)
    with pytest.raises(SolverError, match="scale the features"):
        fit_softmax(WINE.x, WINE.labels, K, C)


@pytest.mark.parametrize(("length", "expected"), [(1.0, 1.0), (3.0, 1.5), (1e3, 1e3 / 2**9), (-1.0, None)])
def test_a_step_is_halved_until_it_makes_the_objective_fall(length: float, expected: float | None) -> None:
    """Of J = 1/2 |W|^2, where there is no sample: 1 leads to the minimum, and from 2 on J rises."""
    problem = Problem(np.empty((0, 4)), np.empty(0, dtype=int), K, C, np.empty(0, dtype=bool))
    point = problem.at(np.arange(12.0).reshape(K, 4))
    moved = softmax_regression._moved(problem, point, length * point.weights)
    if moved is None or expected is None:
        assert moved is expected
    else:
        np.testing.assert_allclose(moved.weights, (1 - expected) * point.weights)


def test_a_step_is_taken_where_rounding_hides_the_fall() -> None:
    """Near the minimum J, of 1e8 and more, has no digit for what a step brings, but the slope has."""
    problem = Problem(np.full((1, 1), 1e-3), np.array([0]), K, 1e8, np.array([False]))
    w = fit_softmax(problem.x, problem.labels, K, problem.C)
    point = problem.at(w + np.array([[1e-7], [0], [-1e-7]]))
    step = np.linalg.solve([problem.hvp(point)(row) for row in np.eye(K)], point.slope)
    moved = softmax_regression._moved(problem, point, step)
    assert moved is not None
    assert np.linalg.norm(moved.slope) < np.linalg.norm(point.slope) / 100


def test_a_fit_without_a_step_that_helps_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax_regression, "_moved", lambda *_: None)
    with pytest.raises(SolverError, match="choose a smaller --C"):
        fit_softmax(WINE.x, WINE.labels, K, C)


def test_a_fit_on_r_comes_to_a_minimum_where_a_newton_step_meets_negative_curvature(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    n, d = int(rng.integers(20, 80)), 300
    x, y = rng.random((n, d)), rng.integers(0, 3, n)
    relabeled = np.arange(n) % 2 == 0
    problem = Problem(x, y, 3, 10.0, relabeled)
    curvatures: list[float] = []
    original = softmax_regression.softmax_hvp

    def hvp(*given: Any) -> Callable[[np.ndarray], np.ndarray]:
        product = original(*given)

        def watched(v: np.ndarray) -> np.ndarray:
            image = product(v)
            curvatures.append((v * image).sum())
            return image

        return watched

    monkeypatch.setattr(softmax_regression, "softmax_hvp", hvp)
    w = fit_softmax(x, y, 3, 10.0, relabeled)
    assert min(curvatures) < 0
    assert np.linalg.norm(problem.gradient(w)) <= 1e-7 * np.linalg.norm(problem.gradient(np.zeros_like(w)))
    hessian = np.column_stack([problem.hvp(problem.at(w))(column) for column in np.eye(w.size)])
    assert np.linalg.eigvalsh((hessian + hessian.T) / 2)[0] > 0


def test_features_that_overflow_are_refused() -> None:
    with pytest.raises(SolverError, match=r"features go up to .*e\+201, a fit takes 1e\+30 at most; scale the features"):
        fit_softmax(WINE.x * 1e201, WINE.labels, K, C)
