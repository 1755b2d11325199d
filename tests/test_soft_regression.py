import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import approx_fprime
from scipy.special import log_softmax, softmax

from models import soft_regression
from models.logistic_regression import fit_logistic
from models.soft_regression import SoftProblem, fit_soft, one_hot, stacked
from models.softmax_regression import fit_softmax
from tests.problems import wdbc, weighted_fit


@pytest.fixture
def _to_the_last_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft_regression, "ROUGH_TOLERANCE", 1e-9)


class Soft:
    """60 rows with random features, soft targets of three classes, and weights, some of them 0."""

    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4))
    targets = rng.dirichlet(np.ones(3), 60)
    weights = rng.integers(0, 3, 60).astype(float)
    C = 0.7

    @classmethod
    def objective(cls, vector: np.ndarray) -> float:
        """J, one row at a time."""
        W = vector.reshape(3, 4)
        losses = [-(t @ log_softmax(W @ row)) for row, t in zip(cls.x, cls.targets, strict=True)]
        return float(0.5 * vector @ vector + cls.C * cls.weights @ losses)


@pytest.mark.parametrize("units", [1.0, np.array([0.5, 1.0, 2.0, 3.0])])
def test_value_slope_and_curvature_are_the_objectives(units: float | np.ndarray) -> None:
    """In any units: V x = (V u) (x / u)."""
    scale, V = Soft.C * Soft.weights[:, None], np.random.default_rng(1).standard_normal((3, 4))
    problem = SoftProblem(Soft.x * units, np.square(units), scale, scale * Soft.targets)
    at = problem.at(V)

    def objective(vector: np.ndarray) -> float:
        return Soft.objective((vector.reshape(3, 4) * units).ravel())

    assert at.value == pytest.approx(objective(V.ravel()), rel=1e-12)
    np.testing.assert_allclose(at.slope.ravel(), approx_fprime(V.ravel(), objective, 1e-7), rtol=1e-5, atol=1e-5)
    step = 1e-6 * np.random.default_rng(2).standard_normal((3, 4))
    change = problem.at(V + step).slope - problem.at(V - step).slope
    np.testing.assert_allclose(problem.hvp(at)(step), change / 2, rtol=1e-4, atol=1e-10)


@pytest.mark.usefixtures("_to_the_last_digit")
def test_the_gradient_is_zero_at_the_fit() -> None:
    W = fit_soft(Soft.x, Soft.targets, Soft.C, Soft.weights)
    slope = W + Soft.C * (Soft.weights[:, None] * (softmax(Soft.x @ W.T, axis=1) - Soft.targets)).T @ Soft.x
    assert np.abs(slope).max() < 1e-4


def test_by_default_the_objective_is_within_a_thousandth_of_its_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    rough = Soft.objective(fit_soft(Soft.x, Soft.targets, Soft.C, Soft.weights).ravel())
    monkeypatch.setattr(soft_regression, "ROUGH_TOLERANCE", 1e-9)
    least = Soft.objective(fit_soft(Soft.x, Soft.targets, Soft.C, Soft.weights).ravel())
    assert least <= rough <= least * 1.001


@pytest.mark.usefixtures("_to_the_last_digit")
def test_on_hard_labels_it_is_softmax_regression() -> None:
    labels = Soft.targets.argmax(axis=1)
    expected = fit_softmax(Soft.x, labels, 3, 0.7)
    np.testing.assert_allclose(fit_soft(Soft.x, one_hot(labels, 3), 0.7, np.ones(60)), expected, atol=1e-4)


@pytest.mark.usefixtures("_to_the_last_digit")
def test_of_two_classes_with_half_of_c_it_is_logistic_regression() -> None:
    problem = wdbc()
    targets, weights = one_hot(problem.labels, 2), np.random.default_rng(0).integers(1, 4, len(problem.labels)).astype(float)
    for sample_weights, expected in (
        (np.ones(len(weights)), fit_logistic(problem.x, problem.labels, 0.1)),
        (weights, weighted_fit(problem.x, problem.labels, weights)),
    ):
        W = fit_soft(problem.x, targets, 0.1 / 2, sample_weights)
        np.testing.assert_allclose(W[1] - W[0], expected, atol=1e-4)
        np.testing.assert_allclose(W[1], -W[0], atol=1e-4)


@pytest.mark.usefixtures("_to_the_last_digit")
def test_a_weight_of_two_is_a_row_twice_and_a_weight_of_zero_is_none() -> None:
    counts = Soft.weights.astype(int)
    repeated = fit_soft(Soft.x.repeat(counts, axis=0), Soft.targets.repeat(counts, axis=0), Soft.C, np.ones(counts.sum()))
    np.testing.assert_allclose(fit_soft(Soft.x, Soft.targets, Soft.C, Soft.weights), repeated, atol=1e-4)


@pytest.mark.usefixtures("_to_the_last_digit")
def test_where_it_starts_and_how_rows_are_kept_changes_nothing() -> None:
    expected = fit_soft(Soft.x, Soft.targets, Soft.C, Soft.weights)
    start = np.random.default_rng(2).standard_normal((3, 4))
    np.testing.assert_allclose(fit_soft(Soft.x, Soft.targets, Soft.C, Soft.weights, start), expected, atol=1e-4)
    np.testing.assert_allclose(fit_soft(sp.csr_array(Soft.x), Soft.targets, Soft.C, Soft.weights), expected, atol=1e-4)


def test_rows_are_stacked_in_order() -> None:
    dense = stacked(Soft.x[:2], Soft.x[5:6])
    np.testing.assert_array_equal(dense, Soft.x[[0, 1, 5]])
    np.testing.assert_array_equal(stacked(sp.csr_array(Soft.x[:2]), sp.csr_array(Soft.x[5:6])).toarray(), dense)


def test_parts_that_are_stored_differently_are_stacked_as_the_first() -> None:
    dense, sparse = np.eye(3), sp.csr_array([[0.0, 2.0, 0.0]])
    expected = np.vstack([np.eye(3), [[0.0, 2.0, 0.0]]])
    first = stacked(dense, sparse)
    assert isinstance(first, np.ndarray)
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(stacked(sparse, dense).toarray(), np.roll(expected, 1, axis=0))


@pytest.mark.usefixtures("_to_the_last_digit")
def test_columns_that_no_row_has_are_left_out_and_weigh_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = sp.csr_array(np.insert(Soft.x, [0, 1, 1, 4], 0.0, axis=1))  # at 0, 2, 3 and 7
    start = np.ones((3, 8))
    monkeypatch.setattr(soft_regression, "MANY_COLUMNS", 7)
    found = fit_soft(wide, Soft.targets, Soft.C, Soft.weights, start)
    np.testing.assert_array_equal(found[:, [0, 2, 3, 7]], 0.0)
    np.testing.assert_allclose(found[:, [1, 4, 5, 6]], fit_soft(Soft.x, Soft.targets, Soft.C, Soft.weights), atol=1e-6)
