import numpy as np
import pytest

from influence.solvers import Product, Solution, SolverError, conjugate_gradient


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


@pytest.mark.parametrize("kind", [int, float])
def test_a_right_hand_side_of_zero_gives_zero_at_once(kind: type) -> None:
    solution = conjugate_gradient(lambda v: 2 * v, np.zeros(4, dtype=kind), lambda r: r)
    assert solution.vector.tolist() == [0, 0, 0, 0]
    assert solution.vector.dtype == np.float64
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

    with pytest.raises(SolverError, match=r"are at a relative residual of .* expected 1e-09 or less; rounding"):
        conjugate_gradient(rough, np.ones(60), lambda r: r, 1e-9)
    assert products < 200


def test_a_solve_of_one_step_needs_room_for_one() -> None:
    assert conjugate_gradient(lambda v: 4 * v, np.ones(5), lambda r: r, max_iterations=1).iterations == 1
    with pytest.raises(SolverError, match=r"a relative residual of 1 after 0 iterations, expected 1e-08 or less; scale"):
        conjugate_gradient(lambda v: 4 * v, np.ones(5), lambda r: r, max_iterations=0)


@pytest.mark.parametrize(("d", "most"), [(3, 100), (10, 100), (11, 110), (60, 600)])
def test_ten_times_as_many_iterations_as_unknowns_and_no_fewer_than_100_are_the_most(d: int, most: int) -> None:
    """A matrix that is not symmetric has positive curvature, and no minimum to go to."""
    skew = np.random.default_rng(d).standard_normal((d, d))
    skew = 0.3 * (skew - skew.T) / np.linalg.norm(skew - skew.T, 2)
    products = 0

    def product(vector: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return vector + skew @ vector

    with pytest.raises(SolverError, match=f"after {most} iterations"):
        conjugate_gradient(product, np.ones(d), lambda r: r, rtol=0.0)
    assert products == most


def test_whole_numbers_are_solved_as_floats() -> None:
    assert conjugate_gradient(lambda v: 4 * v, np.arange(3), lambda r: r).vector.tolist() == [0, 0.25, 0.5]


def stated(message: str, before: str) -> float:
    """The number that follows some words of a message."""
    return float(message.split(before)[1].split(maxsplit=1)[0])


def test_the_residual_that_an_error_states_is_that_of_the_last_iterate() -> None:
    matrix, vector = np.diag([1.0, 10.0, 100.0]), np.array([3.0, 0.0, 4.0])
    step = vector @ vector / (vector @ matrix @ vector)  # one step of steepest descent from 0
    with pytest.raises(SolverError) as error:
        conjugate_gradient(lambda v: matrix @ v, vector, lambda r: r, max_iterations=1, remedy="give up")
    assert stated(str(error.value), "residual of ") == pytest.approx(np.linalg.norm(vector - step * matrix @ vector) / 5, rel=5e-3)
    assert str(error.value).endswith("after 1 iterations, expected 1e-08 or less; give up")


def restarted(residuals: list[float]) -> Solution:
    """Of u = v, whose true residuals, which every other product is asked for, are made up."""
    vector, asked, left = np.array([8.0, 0.0]), 0, iter(residuals)

    def product(u: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += 1
        return u if asked % 2 else vector - [0, next(left)]

    return conjugate_gradient(product, vector, lambda r: r, rtol=2.0**-20, remedy="give up")


def test_a_true_residual_that_comes_down_by_more_than_half_is_worked_at_and_one_that_does_not_is_the_last() -> None:
    found = restarted([1.0, 0.49, 0.24, 2.0**-17])
    assert (found.residual, found.iterations) == (2.0**-20, 4)
    for residuals, message in (
        ([1.0, 0.5], "of 0.0625 after 2 iterations"),
        ([1.0, 0.49, 0.246], "of 0.0307 after 3 iterations"),
        ([2.0**-15, 2.0**-16], "of 1.91e-06 after 2 iterations"),
    ):
        with pytest.raises(SolverError) as error:
            restarted(residuals)
        assert str(error.value) == (
            f"conjugate gradients are at a relative residual {message}, expected 9.54e-07 or less; rounding allows no less; give up"
        )


INDEFINITE: dict[str, tuple[Product, Product, str]] = {
    "curvature": (lambda v: -v, lambda r: r, "-27"),
    "no curvature": (lambda v: 0 * v, lambda r: r, "0"),
    "endless curvature": (lambda v: v * np.inf, lambda r: r, "inf"),
    "endless steps": (lambda v: v * 1e-155 * 1e-155, lambda r: r * 1e155 * 1e155, "nan"),
    "a preconditioner that turns around": (lambda v: v, lambda r: -r, "27"),
    "a preconditioner that turns aside": (lambda v: v, lambda r: r * [1, -1, 0], "18"),
}


@pytest.mark.parametrize("kind", INDEFINITE)
def test_what_is_not_positive_is_found_at_once_and_its_curvature_stated(kind: str) -> None:
    product, preconditioner, stated = INDEFINITE[kind]
    with pytest.raises(SolverError) as error, np.errstate(all="ignore"):
        conjugate_gradient(product, np.full(3, 3.0), preconditioner, remedy="give up")
    assert str(error.value) == (
        f"conjugate gradients met curvature {stated} after 0 iterations, expected a number above 0: the Hessian is not positive"
        " definite, or the features are too large; give up"
    )


def test_a_right_hand_side_whose_size_overflows_is_an_error_and_not_zero() -> None:
    with pytest.raises(SolverError, match="features are too large"), np.errstate(all="ignore"):
        conjugate_gradient(lambda v: v, np.array([1e200, 1.0]), lambda r: r)
