import numpy as np
import pytest

from influence.solvers import SolverError, conjugate_gradient


def positive_definite(d: int, condition: float) -> np.ndarray:
    basis = np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))[0]
    return (basis * np.geomspace(1, condition, d)) @ basis.T


def solve(matrix: np.ndarray, vector: np.ndarray, **options: float) -> np.ndarray:
    solution = conjugate_gradient(lambda v: matrix @ v, vector, lambda r: r / np.diag(matrix), **options)  # type: ignore[arg-type]
    assert solution.residual == pytest.approx(
        np.linalg.norm(vector - matrix @ solution.vector) / (np.linalg.norm(vector) or 1), abs=1e-14
    )
    return solution.vector


@pytest.mark.parametrize("rtol", [1e-2, 1e-6, 1e-10])
@pytest.mark.parametrize("condition", [1, 1e3, 1e6])
def test_the_residual_is_within_its_bound(rtol: float, condition: float) -> None:
    matrix, vector = positive_definite(60, condition), np.random.default_rng(0).standard_normal(60)
    assert np.linalg.norm(vector - matrix @ solve(matrix, vector, rtol=rtol)) <= rtol * np.linalg.norm(vector)


def test_it_finds_the_solution() -> None:
    matrix, vector = positive_definite(30, 100), np.arange(30.0)
    np.testing.assert_allclose(solve(matrix, vector, rtol=1e-12), np.linalg.solve(matrix, vector), rtol=1e-9)


def test_a_right_hand_side_of_zero_gives_zero_at_once() -> None:
    solution = conjugate_gradient(lambda v: 2 * v, np.zeros(4), lambda r: r)
    assert not solution.vector.any()
    assert solution.iterations == 0
    assert solution.residual == 0


def test_a_solve_that_is_exact_after_one_step_stops_there_without_dividing_by_zero() -> None:
    solution = conjugate_gradient(lambda v: 4 * v, np.ones(5), lambda r: r, rtol=0.0)
    assert solution.vector.tolist() == [0.25] * 5
    assert solution.iterations == 1


def test_what_rounding_does_not_allow_is_an_error_not_nan() -> None:
    matrix = positive_definite(60, 1e12)
    with pytest.raises(SolverError, match=r"relative residual of .* after 600 iterations, expected 1e-16"):
        solve(matrix, np.ones(60), rtol=1e-16)


def test_an_indefinite_matrix_is_an_error() -> None:
    with pytest.raises(SolverError, match="not positive definite"):
        conjugate_gradient(lambda v: np.array([1.0, -1.0]) * v, np.array([1.0, 2.0]), lambda r: r)


def test_a_singular_matrix_is_an_error() -> None:
    with pytest.raises(SolverError, match="not positive definite"):
        conjugate_gradient(lambda v: np.array([1.0, 0.0]) * v, np.array([0.0, 1.0]), lambda r: r)


def test_a_value_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(SolverError, match="features are too large"):
        conjugate_gradient(lambda v: v * np.inf, np.ones(2), lambda r: r)


def test_too_few_iterations_are_an_error_with_count_and_remedy() -> None:
    matrix = positive_definite(60, 1e6)
    with pytest.raises(SolverError, match=r"after 3 iterations.*scale the features"):
        solve(matrix, np.ones(60), max_iterations=3)


def test_a_residual_that_the_recurrence_has_lost_is_mended() -> None:
    """One product with an error in it: the recurrence does not see it, the residual that is computed anew does."""
    matrix, vector = positive_definite(40, 100), np.ones(40)
    calls = 0

    def product(v: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        return matrix @ v * (1.001 if calls == 3 else 1)

    solution = conjugate_gradient(product, vector, lambda r: r, rtol=1e-10)
    assert np.linalg.norm(vector - matrix @ solution.vector) <= 1e-10 * np.linalg.norm(vector)


def test_neither_input_is_changed() -> None:
    vector = np.arange(1.0, 5.0)
    conjugate_gradient(lambda v: 3 * v, vector, lambda r: r)
    assert vector.tolist() == [1, 2, 3, 4]


def test_a_residual_that_rounding_keeps_up_is_an_error_and_not_a_long_run() -> None:
    """Products in float32 cannot be solved to 1e-9: the recurrence says that they are, the true residual stays."""
    matrix, products = positive_definite(60, 10).astype(np.float32), 0

    def rough(vector: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return (matrix @ vector.astype(np.float32)).astype(float)

    with pytest.raises(SolverError, match=r"stay at a relative residual of .* expected 1e-09: rounding"):
        conjugate_gradient(rough, np.ones(60), lambda r: r, 1e-9)
    assert products < 200
