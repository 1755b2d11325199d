"""LiSSA on small matrices, with samples that are the matrix itself: its iterates then have a closed form."""

from collections.abc import Iterator

import numpy as np
import pytest

from influence.lissa import MARGIN, PASSES, lissa
from influence.solvers import Product, SolverError

MATRIX = np.diag([1.0, 3.0, 10.0])
VECTOR = np.array([5.0, -3.0, 20.0])


class Counted:
    """v -> A v, and how often."""

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix, self.calls = matrix, 0

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        self.calls += 1
        return self.matrix @ vector

    def endless(self) -> Iterator[Product]:
        while True:
            yield self


def iterate(count: int) -> np.ndarray:
    """u_t = H^-1 (1 - (1 - H / (2 lambda))^t) v."""
    values = np.diag(MATRIX)
    return (1 - (1 - values / (MARGIN * 10)) ** count) / values * VECTOR


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize(("passes", "since"), [(1, 0), (2, 1), (4, 2), (16, 8)])
def test_the_answer_is_the_mean_of_the_iterates_since_the_test_before(passes: int, since: int, steps: int) -> None:
    expected = np.mean([iterate(count) for count in range(since * steps + 1, passes * steps + 1)], axis=0)
    residual = float(np.linalg.norm(VECTOR - MATRIX @ expected) / np.linalg.norm(VECTOR))
    whole, sample = Counted(MATRIX), Counted(MATRIX)
    found = lissa(whole, sample.endless(), VECTOR, 10.0, steps, residual * (1 + 1e-9), "give up")
    np.testing.assert_allclose(found.vector, expected, rtol=1e-12)
    assert found.residual == pytest.approx(residual, rel=1e-9)
    assert found.iterations == sample.calls == passes * steps
    assert whole.calls == 1 + np.log2(passes)


def test_whole_numbers_are_solved_as_floats_and_stay() -> None:
    vector = VECTOR.astype(int)
    found = lissa(Counted(MATRIX), Counted(MATRIX).endless(), vector, 10.0, 50, 1e-3, "give up")
    assert np.linalg.norm(MATRIX @ found.vector - VECTOR) <= 1e-3 * np.linalg.norm(VECTOR)
    assert vector.tolist() == VECTOR.tolist()


def test_a_right_hand_side_of_zero_gives_zero_after_one_pass() -> None:
    found = lissa(Counted(MATRIX), Counted(MATRIX).endless(), np.zeros(3), 10.0, 4, 0.0, "give up")
    assert (found.vector.tolist(), found.residual, found.iterations) == ([0, 0, 0], 0, 4)


def test_what_it_does_not_get_to_in_512_passes_is_an_error_with_its_residual() -> None:
    """A column without curvature stays: the residual is its share of v."""
    whole, sample, vector = Counted(np.diag([0.0, 10.0])), Counted(np.diag([0.0, 10.0])), np.array([3.0, 4.0])
    with pytest.raises(SolverError) as error:
        lissa(whole, sample.endless(), vector, 10.0, 2, 0.5, "give up")
    assert str(error.value) == f"LiSSA is at a relative residual of 0.6 after {PASSES} passes, expected 0.5; give up"
    assert (sample.calls, whole.calls) == (1024, 10)


@pytest.mark.parametrize(("worst", "passes"), [(9.99, 2), (10.0, 1), (10.01, 1), (np.nan, 1)])
def test_a_residual_of_ten_and_more_or_none_is_an_error_at_once(worst: float, passes: int) -> None:
    """The product of the first test is made to leave that residual, of the second to leave more."""
    given = iter([worst, 100.0])

    def product(_: np.ndarray) -> np.ndarray:
        return np.array([1.0 + next(given)])

    with pytest.raises(SolverError) as error:
        lissa(product, Counted(np.eye(1)).endless(), np.ones(1), 1.0, 1, 1e-3, "give up")
    shown = f"{worst if passes == 1 else 100.0:.3g}"
    assert str(error.value) == f"LiSSA diverges, to a relative residual of {shown} after {passes} passes; give up"


def test_it_goes_on_until_its_effect_no_longer_changes() -> None:
    """The residual is small at once: the vector has next to nothing along the axis of little curvature, where the effect is."""
    matrix, vector = np.diag([0.2, 10.0]), np.array([0.02, 10.0])
    short = lissa(Counted(matrix), Counted(matrix).endless(), vector, 10.0, 4, 0.01, "give up")
    long = lissa(Counted(matrix), Counted(matrix).endless(), vector, 10.0, 4, 0.01, "give up", lambda u: u[:1])
    assert short.residual <= 0.01
    assert short.iterations < long.iterations
    assert abs(short.vector[0] - 0.1) > 0.05
    assert abs(long.vector[0] - 0.1) < 0.01
    slow = Counted(np.diag([0.01, 10.0]))
    with pytest.raises(SolverError, match=r"after 512 passes, its effect still changes by 0\.\d+, expected 0\.01; give up"):
        lissa(slow, slow.endless(), vector, 10.0, 4, 0.01, "give up", lambda u: u[:1])
