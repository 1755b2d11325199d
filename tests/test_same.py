import math

import pytest

from tests.same import RUNS, difference, metrics


def test_a_difference_is_counted_and_measured() -> None:
    first = {"a": [1.0, 2.0], "b": {"c": None}}
    assert difference(first, {"a": [1.0, 2.0], "b": {"c": None}}) == (0, 0.0)
    assert difference(first, {"a": [1.0, 2.5], "b": {"c": None}}) == (1, 0.2)
    assert difference(first, {"a": [1.0], "b": {"c": 3.0}}) == (2, math.inf)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_runs_are_the_same_to_the_byte_again_and_nearly_with_two_threads(name: str) -> None:
    first = metrics(RUNS[name])
    assert metrics(RUNS[name]) == first
    count, largest = difference(first, metrics(RUNS[name], threads=2))
    assert count == 0 or largest < (1e-3 if "MLP" in name else 1e-6)
