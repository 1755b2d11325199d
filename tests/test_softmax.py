"""Softmax regression: the fit, and the influence of every label, against independent fits by dense Newton steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_wine

from influence import SolverError, softmax
from influence.softmax import LabelInfluence, SoftmaxFit, label_slope, relabeled_probabilities, softmax_influence
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
    assert np.linalg.eigvalsh(np.array([problem.hvp(problem.x @ w.T)(v) for v in np.eye(w.size)])).min() > 0


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
    np.testing.assert_allclose(problem.hvp(problem.x @ w.T)(v.ravel()), difference.ravel(), rtol=1e-6, atol=1e-7)


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


def test_without_a_factor_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    w, found = influence()
    monkeypatch.setattr(softmax, "ITERATIONS", 0)
    again, other = influence()
    np.testing.assert_allclose(again, w, atol=1e-6)
    np.testing.assert_allclose(other.phi, found.phi, rtol=1e-5, atol=1e-8)
    assert other.solution.iterations > found.solution.iterations


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 110])  # X X^T is factored where the rows are fewer than the 13 columns, else X^T X
@pytest.mark.parametrize("iterations", [0, 10**9])  # worth of a factor: none is made, or always one
def test_the_preconditioner_is_symmetric_and_between_0_and_1(
    iterations: int, n: int, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softmax, "ITERATIONS", iterations)
    x = WINE.x[:n]
    p = probabilities(x @ np.random.default_rng(3).standard_normal((K, 13)).T / 10)
    solve = softmax.softmax_preconditioner(kind(x), p, C).solve
    inverse = np.array([solve(row.reshape(K, 13)).ravel() for row in np.eye(K * 13)])
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-12)
    values = np.linalg.eigvalsh(inverse)  # of P^-1, and P is I or more
    assert 0 < values.min() <= values.max() < 1 + 1e-9


def test_a_factor_brings_the_hessian_near_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "ITERATIONS", 10**9)
    p = probabilities(WINE.x @ np.random.default_rng(3).standard_normal((K, 13)).T / 10)
    solve, product = softmax.softmax_preconditioner(WINE.x, p, 10.0).solve, softmax.softmax_hvp(WINE.x, p, 10.0)
    rows = np.eye(K * 13).reshape(-1, K, 13)
    hessian = np.array([product(row).ravel() for row in rows])
    both = np.array([solve(product(row)).ravel() for row in rows])
    before, after = (np.abs(np.linalg.eigvals(matrix)) for matrix in (hessian, both))
    assert after.max() / after.min() < before.max() / before.min() / 20


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


def test_a_fit_that_does_not_get_there_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.softmax_regression.SOFTMAX_STEPS", 1)
    with pytest.raises(SolverError, match="scale the features"):
        fit_softmax(WINE.x, WINE.labels, K, C)


def test_a_fit_on_r_comes_to_a_minimum_where_the_curvature_is_negative_at_first() -> None:
    rng = np.random.default_rng(4)
    n, d = int(rng.integers(20, 80)), 300
    x, y = rng.random((n, d)), rng.integers(0, 3, n)
    relabeled = np.arange(n) % 2 == 0
    problem = Problem(x, y, 3, 10.0, relabeled)
    begin = problem.hvp(np.zeros((n, 3)))
    first = np.column_stack([begin(column) for column in np.eye(3 * d)])
    assert np.linalg.eigvalsh((first + first.T) / 2)[0] < 0
    w = fit_softmax(x, y, 3, 10.0, relabeled)
    assert np.linalg.norm(problem.gradient(w)) <= 1e-7 * np.linalg.norm(problem.gradient(np.zeros_like(w)))
    logits = x @ w.T
    hessian = np.column_stack([problem.hvp(logits)(column) for column in np.eye(w.size)])
    assert np.linalg.eigvalsh((hessian + hessian.T) / 2)[0] > 0


def test_features_that_overflow_are_refused() -> None:
    with pytest.raises(SolverError, match=r"features go up to .*e\+201, a fit takes 1e\+30 at most; scale the features"):
        fit_softmax(WINE.x * 1e201, WINE.labels, K, C)
