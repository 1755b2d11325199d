from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from influence import Fit, Influence, SolverError, harmful, logistic_influence, relabel
from influence import logistic as module
from influence.logistic import (
    SOLVERS,
    Matrix,
    Solver,
    cholesky_preconditioner,
    choose_solver,
    curvature,
    hessian_diagonal,
    inverse_hvp,
    logistic_hessian,
    logistic_hvp,
    loss_slope,
    mean_preconditioner,
)
from models.logistic_regression import gradient
from tests.problems import C, Problem, digits, sparse, validation_loss, wdbc, weighted_fit

Kind = Callable[[np.ndarray], Matrix]
Precondition = Callable[[Matrix, np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]
KINDS: dict[str, Kind] = {"dense": np.asarray, "csr": sp.csr_array}
PROBLEMS = {"wdbc": wdbc, "digits": digits, "sparse": sparse}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> Problem:
    return PROBLEMS[request.param]()


def influence_at_fit(problem: Problem, kind: Kind = np.asarray, solver: Solver = "auto", rtol: float = 1e-12) -> Influence:
    w = weighted_fit(problem.x, problem.labels, np.ones(len(problem.labels)))
    train = Fit(kind(problem.x), problem.labels, problem.x @ w)
    validation = Fit(kind(problem.x_validation), problem.labels_validation, problem.x_validation @ w)
    return logistic_influence(train, validation, C, solver, rtol)


def central_difference(problem: Problem, moved: Callable[[float], tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
    """C times the slope of the validation loss as a weight moves, by refitting at a weight of plus and minus 1e-4."""
    eps = 1e-4
    ahead, behind = (validation_loss(problem, weighted_fit(*moved(step))) for step in (eps, -eps))
    return C * (ahead - behind) / (2 * eps)


def test_phi_is_the_change_that_retraining_with_more_weight_gives(problem: Problem) -> None:
    phi = influence_at_fit(problem).phi
    for i in np.argsort(-np.abs(phi))[[0, 1, 2, 10, 50]]:
        weight = np.eye(len(phi))[i]
        retrained = central_difference(problem, lambda step, weight=weight: (problem.x, problem.labels, 1 + step * weight))  # type: ignore[misc]
        assert phi[i] == pytest.approx(retrained, rel=1e-5)


def test_eta_is_the_change_that_retraining_with_weight_moved_to_the_other_label_gives(problem: Problem) -> None:
    eta = influence_at_fit(problem).eta
    for i in np.argsort(-np.abs(eta))[[0, 1, 2, 10, 50]]:
        x = np.vstack([problem.x, problem.x[i]])
        labels = np.append(problem.labels, 1 - problem.labels[i])
        move = np.zeros(len(labels))
        move[[i, -1]] = -1, 1
        base = np.append(np.ones(len(eta)), 0)
        retrained = central_difference(problem, lambda step, a=x, b=labels, c=base, d=move: (a, b, c + step * d))  # type: ignore[misc]
        assert eta[i] == pytest.approx(retrained, rel=1e-5)


def test_eta_is_minus_phi_over_one_minus_the_probability_of_the_given_label(problem: Problem) -> None:
    w = weighted_fit(problem.x, problem.labels, np.ones(len(problem.labels)))
    p = 1 / (1 + np.exp(-problem.x @ w))
    given = np.where(problem.labels == 1, p, 1 - p)
    result = influence_at_fit(problem)
    np.testing.assert_allclose(result.eta, -result.phi / (1 - given), rtol=1e-9)


def test_phi_is_the_sum_over_validation_samples_of_the_definition(problem: Problem) -> None:
    w = weighted_fit(problem.x, problem.labels, np.ones(len(problem.labels)))
    inverse = np.linalg.inv(logistic_hessian(problem.x, curvature(problem.x @ w, C)))
    g = (1 / (1 + np.exp(-problem.x @ w)) - problem.labels)[:, None] * problem.x
    g_validation = (1 / (1 + np.exp(-problem.x_validation @ w)) - problem.labels_validation)[:, None] * problem.x_validation
    expected = -(C**2) * np.array([sum(g_j @ inverse @ g_i for g_j in g_validation) for g_i in g])
    np.testing.assert_allclose(influence_at_fit(problem).phi, expected, rtol=1e-7, atol=1e-12)


def test_solvers_and_storage_agree(problem: Problem, kind: Kind) -> None:
    reference = influence_at_fit(problem)
    for solver in ("cholesky", "cg"):
        result = influence_at_fit(problem, kind, solver)
        np.testing.assert_allclose(result.phi, reference.phi, rtol=1e-8, atol=1e-13)
        np.testing.assert_allclose(result.eta, reference.eta, rtol=1e-8, atol=1e-13)


def test_hessian_is_the_difference_of_gradients(problem: Problem, kind: Kind) -> None:
    rng = np.random.default_rng(3)
    w, v = rng.standard_normal((2, problem.x.shape[1]))
    x = kind(problem.x)
    slope = (gradient(w + 1e-6 * v, x, problem.labels, C) - gradient(w - 1e-6 * v, x, problem.labels, C)) / 2e-6
    np.testing.assert_allclose(logistic_hessian(x, curvature(x @ w, C)) @ v, slope, rtol=1e-6, atol=1e-8)


def test_hessian_vector_product_is_the_hessian_times_the_vector(problem: Problem, kind: Kind) -> None:
    rng = np.random.default_rng(3)
    w, v = rng.standard_normal((2, problem.x.shape[1]))
    hessian = logistic_hessian(problem.x, curvature(problem.x @ w, C))
    np.testing.assert_allclose(logistic_hvp(kind(problem.x), curvature(problem.x @ w, C))(v), hessian @ v, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(hessian_diagonal(kind(problem.x), curvature(problem.x @ w, C)), np.diag(hessian), rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 7, 10, 10_000])
def test_hessian_does_not_depend_on_the_size_of_a_block(rows: int, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    x = sparse().x
    logits = np.random.default_rng(0).standard_normal(len(x))
    expected = np.eye(x.shape[1]) + sum(
        C * np.exp(-z) / (1 + np.exp(-z)) ** 2 * np.outer(row, row) for row, z in zip(x, logits, strict=True)
    )
    monkeypatch.setattr(module, "BLOCK_BYTES", rows * 8 * x.shape[1])
    np.testing.assert_allclose(logistic_hessian(kind(x), curvature(logits, C)), expected, rtol=1e-12, atol=1e-14)


def test_inverse_product_is_the_inverse_and_states_its_residual(problem: Problem, kind: Kind) -> None:
    rng = np.random.default_rng(3)
    w, v = rng.standard_normal((2, problem.x.shape[1]))
    hessian = logistic_hessian(problem.x, curvature(problem.x @ w, C))
    for solver in ("auto", "cholesky", "cg"):
        u, residual, _ = inverse_hvp(kind(problem.x), curvature(problem.x @ w, C), v, solver)
        actual = np.linalg.norm(v - hessian @ u) / np.linalg.norm(v)
        assert actual <= 1.001e-8
        assert residual == pytest.approx(actual, abs=1e-13)


def test_the_solver_is_chosen_by_size_whatever_is_forced_still_works() -> None:
    assert choose_solver(n=9_088, d=636, stored=1_000_000) == "cholesky"  # MNIST 1 vs 7
    assert choose_solver(n=42_000, d=20_958, stored=2_200_000) == "cg"  # real-sim
    assert choose_solver(n=100, d=20_000, stored=10**12) == "cg"  # a Hessian of 3.2 GB is never formed


def test_the_solver_changes_where_the_operations_are_as_many() -> None:
    """n d^2 + d^3 / 3 = 15,999 * 9 + 9 = 144,000 dense ones, against 4 * 200 iterations, each 20 times as slow, a stored value."""
    assert [choose_solver(15_999, 3, stored) for stored in (8, 9, 10)] == ["cg", "cholesky", "cholesky"]
    assert [choose_solver(n, 3, 9) for n in (15_998, 16_000)] == ["cholesky", "cg"]
    assert [choose_solver(1, 60, stored) for stored in (4, 5)] == ["cg", "cholesky"]  # 3,600 + 72,000, by 16,000 a value
    assert [choose_solver(1, d, 10**12) for d in (10_000, 10_001)] == ["cholesky", "cg"]


def test_the_solver_that_is_named_is_the_one_that_solves() -> None:
    """Of digits, where a factor is the faster: it takes another number of iterations."""
    iterations = {solver: influence_at_fit(digits(), solver=solver, rtol=1e-8).solution.iterations for solver in SOLVERS}
    assert iterations["auto"] == iterations["cholesky"] < iterations["cg"]
    x, labels, x_validation, labels_validation = digits()
    w = weighted_fit(x, labels, np.ones(len(labels)))
    fits = Fit(x, labels, x @ w), Fit(x_validation, labels_validation, x_validation @ w)
    plain = logistic_influence(*fits, C).solution
    assert plain.iterations == iterations["auto"]
    assert plain.residual <= 1e-8


@pytest.mark.parametrize("precondition", [mean_preconditioner, cholesky_preconditioner])
def test_a_preconditioner_is_symmetric_and_positive(problem: Problem, kind: Kind, precondition: Precondition) -> None:
    rng = np.random.default_rng(3)
    w, a, b = rng.standard_normal((3, problem.x.shape[1]))
    x, c = kind(problem.x), curvature(problem.x @ w, C)
    apply = precondition(x, c, hessian_diagonal(x, c))
    assert a @ apply(b) == pytest.approx(b @ apply(a), rel=1e-9)
    assert min(v @ apply(v) for v in np.vstack([np.eye(len(a)), a, b])) > 0


def chosen_by_loop(x: np.ndarray, c: np.ndarray, hessian: np.ndarray, share: float) -> list[int]:
    """The samples that carry most, one after another, until `share` of all is carried."""
    carried = [weight * sum(v**2 / h for v, h in zip(row, np.diag(hessian), strict=True)) for row, weight in zip(x, c, strict=True)]
    rows: list[int] = []
    for i in sorted(range(len(x)), key=lambda i: -carried[i]):
        if sum(carried[j] for j in rows) >= share * sum(carried):
            break
        rows.append(i)
    return rows


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_the_factor_is_that_of_the_samples_that_carry_the_share_or_of_all_if_these_are_most(
    share: float, problem: Problem, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CARRIED", share)
    x = problem.x
    c = curvature(x @ np.random.default_rng(3).standard_normal(x.shape[1]), C)
    hessian = np.eye(x.shape[1]) + (x.T * c) @ x
    rows = chosen_by_loop(x, c, hessian, share)
    if len(rows) > len(x) / 2:
        rows = list(range(len(x)))
    expected = np.eye(x.shape[1]) + (x[rows].T * c[rows]) @ x[rows]
    np.fill_diagonal(expected, np.diag(hessian))
    apply = cholesky_preconditioner(kind(x), c, hessian_diagonal(kind(x), c))
    inverse = np.array([apply(row) for row in np.eye(x.shape[1])])
    np.testing.assert_allclose(inverse @ expected, np.eye(x.shape[1]), atol=1e-10)


def test_the_other_preconditioner_is_the_diagonal_but_for_the_part_along_the_mean(problem: Problem, kind: Kind) -> None:
    x = problem.x
    c = curvature(x @ np.random.default_rng(3).standard_normal(x.shape[1]), C)
    diagonal = 1 + sum(c_i * row**2 for row, c_i in zip(x, c, strict=True))
    mean = sum(c_i * row for row, c_i in zip(x, c, strict=True)) / np.sqrt(c.sum())
    expected = np.diag(diagonal - mean**2) + np.outer(mean, mean)
    apply = mean_preconditioner(kind(x), c, hessian_diagonal(kind(x), c))
    inverse = np.array([apply(row) for row in np.eye(x.shape[1])])
    np.testing.assert_allclose(inverse @ expected, np.eye(x.shape[1]), atol=1e-10)


def test_without_curvature_the_hessian_is_the_identity_and_so_is_what_precedes_it(problem: Problem, kind: Kind) -> None:
    c, v = np.zeros(len(problem.x)), np.asarray(np.random.default_rng(3).standard_normal(problem.x.shape[1]))
    for precondition in (mean_preconditioner, cholesky_preconditioner):
        np.testing.assert_array_equal(precondition(kind(problem.x), c, np.ones_like(v))(v), v)
    for solver in SOLVERS:
        assert inverse_hvp(kind(problem.x), c, v, solver).vector.tolist() == v.tolist()


@pytest.mark.parametrize("bytes_", [8 * 80, 8 * 80 * 64, 10**9])
def test_dense_blocks_fill_their_bytes_and_no_more(bytes_: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    dense = sp.csr_array.toarray

    def toarray(x: sp.csr_array) -> np.ndarray:
        sizes.append(8 * x.shape[0] * x.shape[1])
        return dense(x)

    monkeypatch.setattr(sp.csr_array, "toarray", toarray)
    monkeypatch.setattr(module, "BLOCK_BYTES", bytes_)
    x = sp.csr_array(sparse().x)
    logistic_hessian(x, np.ones(x.shape[0]))
    assert sum(sizes) == 8 * x.shape[0] * x.shape[1]
    assert set(sizes[:-1]) <= {bytes_}
    assert sizes[-1] <= bytes_


def test_the_hessian_of_some_rows_is_that_of_the_matrix_of_them(kind: Kind) -> None:
    x, rows = sparse().x, np.arange(3, 200, 7)
    c = np.random.default_rng(0).random(len(x))
    np.testing.assert_allclose(logistic_hessian(kind(x), c, rows), logistic_hessian(x[rows], c[rows]), rtol=1e-13, atol=1e-15)
    assert logistic_hessian(kind(np.empty((3, 0))), np.ones(3)).shape == (0, 0)


@pytest.mark.parametrize(("solver", "most"), [("cholesky", 30), ("cg", 60)])
def test_a_preconditioner_does_not_mind_the_scale_of_a_feature(problem: Problem, solver: Solver, most: int) -> None:
    """Columns scaled by 1e-3 to 1e3: the Hessian's condition goes to 1e9 and more, the iterations stay few."""
    x = problem.x * np.geomspace(1e-3, 1e3, problem.x.shape[1])
    w = weighted_fit(problem.x, problem.labels, np.ones(len(problem.labels)))
    vector = x.T @ np.random.default_rng(0).standard_normal(len(x))
    assert inverse_hvp(x, curvature(problem.x @ w, C), vector, solver).iterations <= most


def test_one_sample_that_outweighs_all_others_spoils_no_preconditioner(problem: Problem) -> None:
    x = problem.x.copy()
    x[0, 0] = 1e6
    for solver in ("cholesky", "cg"):
        assert inverse_hvp(x, np.full(len(x), C / 4), np.ones(x.shape[1]), solver).iterations <= 60


def test_features_too_large_for_a_hessian_are_an_error_of_the_solver() -> None:
    x = np.array([[1e200, 1.0], [1.0, 1e200]])
    with np.errstate(all="ignore"):
        for solver in ("cholesky", "cg"):
            with pytest.raises(SolverError, match="scale"):
                inverse_hvp(x, np.full(2, C / 4), np.ones(2), solver)


def test_an_error_says_what_else_there_is() -> None:
    x = np.array([[1e200, 1.0], [1.0, 1e200]])
    labels, logits = np.array([0, 1]), np.zeros(2)
    unfactored = r"^the Hessian has no Cholesky factor \(.+\): the features are too large; scale them$"
    with np.errstate(all="ignore"):
        with pytest.raises(SolverError, match=r"to similar ranges, or solve by Cholesky \(--solver cholesky\)$"):
            logistic_influence(Fit(x, labels, logits), Fit(x, labels, logits), C, "cg")
        with pytest.raises(SolverError, match=r"; scale the features to similar ranges$"):
            inverse_hvp(x, np.full(2, C / 4), np.ones(2), "cg")
        with pytest.raises(SolverError, match=unfactored):
            inverse_hvp(x, np.full(2, C / 4), np.ones(2), "cholesky")
    with pytest.raises(SolverError, match=r"; scale the features to similar ranges$"):
        inverse_hvp(wdbc().x, np.full(len(wdbc().x), C / 4), np.ones(30), "cholesky", rtol=1e-20)


@pytest.mark.parametrize("label", [0, 1])
def test_slope_and_curvature_are_exact_where_the_probability_rounds(label: int) -> None:
    logits = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    tail = np.exp(-40.0)  # 1 - p at 40, lost in p itself
    slope = loss_slope(logits, np.full(5, label))
    expected = [-1, -1 + tail, -0.5, -tail, 0] if label else [0, tail, 0.5, 1 - tail, 1]
    np.testing.assert_allclose(slope, expected, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(curvature(logits, C), [0, C * tail, C / 4, C * tail, 0], rtol=1e-12, atol=1e-300)


def test_a_validation_set_without_loss_has_no_influence() -> None:
    x = np.eye(3)
    fit = Fit(x, np.array([1, 0, 1]), np.array([800.0, -800.0, 800.0]))
    result = logistic_influence(fit, fit, C)
    assert not result.phi.any()
    assert result.solution.residual == 0


def test_harmful_is_strictly_above_alpha() -> None:
    assert harmful(np.array([-1.0, 0.0, 0.5, 0.5000001]), 0.5).tolist() == [False, False, False, True]
    assert not harmful(np.zeros(3), 0.0).any()


def test_relabeling_flips_the_chosen_alone_and_leaves_its_input() -> None:
    labels = np.array([0, 1, 0, 1])
    assert relabel(labels, np.array([True, True, False, False])).tolist() == [1, 0, 0, 1]
    assert labels.tolist() == [0, 1, 0, 1]
