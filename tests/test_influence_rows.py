"""Rows in blocks that are held in memory: what comes out is what one array gives, wherever it is cut."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from influence import Fit, logistic, logistic_influence
from influence.logistic import Solver, curvature, hessian_diagonal, inverse_hvp, logistic_hvp, mean_preconditioner, weighted_rows
from influence.rows import BlockFunction, each, is_matrix, plus, times, total
from models.logistic_regression import fit_logistic
from tests.problems import C, sparse


@dataclass(frozen=True)
class Cut:
    """`Rows`: a matrix in blocks of `size` rows, whose vectors are numpy's."""

    x: np.ndarray
    size: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape

    def parts(self, part: BlockFunction, vectors: Sequence[Any], shared: Sequence[Any]) -> Iterator[Any]:
        for start in range(0, len(self.x), self.size):
            rows = slice(start, start + self.size)
            yield part(self.x[rows], *(vector[rows] for vector in vectors), *shared)

    def each(self, part: BlockFunction, vectors: Sequence[Any], shared: Sequence[Any]) -> Any:
        found = [*self.parts(part, vectors, shared)]
        return tuple(map(np.concatenate, zip(*found, strict=True))) if isinstance(found[0], tuple) else np.concatenate(found)


SIZES = [1, 7, 100, 1_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_sum_over_blocks_is_the_sum_over_the_matrix(size: int) -> None:
    x, v = sparse().x, np.random.default_rng(0).standard_normal(80)
    c = curvature(x @ v, C)
    blocks = Cut(x, size)
    np.testing.assert_allclose(logistic_hvp(blocks, c)(v), logistic_hvp(x, c)(v), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(hessian_diagonal(blocks, c), hessian_diagonal(x, c), rtol=1e-12)
    diagonal = hessian_diagonal(x, c)
    found, expected = (mean_preconditioner(rows, c, diagonal)(v) for rows in (blocks, x))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    for one, other in zip(total(blocks, weighted_rows, c), weighted_rows(x, c), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", SIZES)
def test_a_map_over_blocks_is_the_map_over_the_matrix(size: int) -> None:
    problem = sparse()
    w = fit_logistic(problem.x, problem.labels, C)
    logits = each(Cut(problem.x, size), times, shared=(w,))
    np.testing.assert_allclose(logits, problem.x @ w, rtol=1e-12, atol=1e-14)
    train, validation = (
        Fit(x, labels, x @ w) for x, labels in ((problem.x, problem.labels), (problem.x_validation, problem.labels_validation))
    )
    expected = logistic_influence(train, validation, C, rtol=1e-12)
    in_blocks = [fit._replace(x=Cut(fit.x, size)) for fit in (train, validation)]
    found = logistic_influence(in_blocks[0], in_blocks[1], C, rtol=1e-12)
    np.testing.assert_allclose(found.phi, expected.phi, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(found.eta, expected.eta, rtol=1e-8, atol=1e-13)


def test_one_array_dense_or_sparse_is_a_matrix_and_rows_are_none() -> None:
    assert [is_matrix(x) for x in (np.eye(2), sp.csr_array(np.eye(2)), Cut(np.eye(2), 1))] == [True, True, False]


def test_tuples_of_tuples_are_added_place_by_place() -> None:
    parts = [(np.full(2, i), (i, 10.0 * i)) for i in (1, 2, 3)]
    vector, (number, other) = functools.reduce(plus, parts)
    assert (vector.tolist(), number, other) == ([6, 6], 6, 60)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, lambda x: Cut(x, 100)])
def test_the_solver_is_chosen_from_the_columns_in_use_and_the_stored_values(
    kind: Callable[[np.ndarray], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are no matrix have no factor, and no choice."""
    problem, told = sparse(), []

    def choose(*sizes: int) -> Solver:
        told.append(sizes)
        return "cg"

    monkeypatch.setattr(logistic, "choose_solver", choose)
    x = kind(problem.x)
    inverse_hvp(x, np.full(len(problem.x), C / 4), np.ones(80))
    used = int(problem.x.any(axis=0).sum())
    stored = {np.ndarray: problem.x.size, sp.csr_array: np.count_nonzero(problem.x)}.get(type(x))
    assert used < 80
    assert told == ([(len(problem.x), used, stored)] if stored else [])
