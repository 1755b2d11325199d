"""Rows in blocks that are held in memory: what comes out is what one array gives, wherever it is cut."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from data.on_disk import on_disk
from influence import Fit, logistic, logistic_influence
from influence.logistic import Solver, curvature, hessian_diagonal, inverse_hvp, logistic_hvp, mean_preconditioner, weighted_rows
from influence.rows import Slices, each, is_matrix, plus, times, total
from influence.softmax import SoftmaxFit, softmax, softmax_influence
from influence.softmax_blocks import softmax_influence_in_blocks
from models.logistic_regression import fit_logistic
from models.softmax_regression import fit_softmax
from tests.problems import C, sparse

SIZES = [1, 7, 100, 1_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_sum_over_blocks_is_the_sum_over_the_matrix(size: int) -> None:
    x, v = sparse().x, np.random.default_rng(0).standard_normal(80)
    c = curvature(x @ v, C)
    blocks = Slices(x, size)
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
    logits = each(Slices(problem.x, size), times, shared=(w,))
    np.testing.assert_allclose(logits, problem.x @ w, rtol=1e-12, atol=1e-14)
    train, validation = (
        Fit(x, labels, x @ w) for x, labels in ((problem.x, problem.labels), (problem.x_validation, problem.labels_validation))
    )
    expected = logistic_influence(train, validation, C, rtol=1e-12)
    in_blocks = [fit._replace(x=Slices(fit.x, size)) for fit in (train, validation)]
    found = logistic_influence(in_blocks[0], in_blocks[1], C, rtol=1e-12)
    np.testing.assert_allclose(found.phi, expected.phi, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(found.eta, expected.eta, rtol=1e-8, atol=1e-13)


def test_one_array_dense_or_sparse_is_a_matrix_and_rows_are_none() -> None:
    assert [is_matrix(x) for x in (np.eye(2), sp.csr_array(np.eye(2)), Slices(np.eye(2), 1))] == [True, True, False]


def test_tuples_of_tuples_are_added_place_by_place() -> None:
    parts = [(np.full(2, i), (i, 10.0 * i)) for i in (1, 2, 3)]
    vector, (number, other) = functools.reduce(plus, parts)
    assert (vector.tolist(), number, other) == ([6, 6], 6, 60)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, lambda x: Slices(x, 100)])
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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("relabels", [False, True])
def test_a_softmax_fit_and_its_influences_in_blocks_are_those_in_memory(size: int, relabels: bool) -> None:
    problem, rng = sparse(), np.random.default_rng(5)
    labels, of_validation = (rng.integers(0, 4, len(x)) for x in (problem.x, problem.x_validation))
    changed = (rng.random(len(labels)) < 0.3) & relabels
    expected = fit_softmax(problem.x, labels, 4, C, changed)
    w = fit_softmax(Slices(problem.x, size), labels, 4, C, changed)
    np.testing.assert_allclose(w, expected, atol=1e-6 * np.abs(expected).max())
    train, validation = (
        SoftmaxFit(problem.x, labels, problem.x @ w.T),
        SoftmaxFit(problem.x_validation, of_validation, problem.x_validation @ w.T),
    )
    memory = softmax_influence(train, validation, C, rtol=1e-12)
    blocks = softmax_influence_in_blocks(
        (Slices(problem.x, size), labels), (Slices(problem.x_validation, size), of_validation), w, C, rtol=1e-12
    )
    np.testing.assert_allclose(blocks.phi, memory.phi, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(blocks.eta, memory.eta, rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(blocks.best, memory.eta_labels.argmin(axis=1))
    np.testing.assert_allclose(blocks.eta_best, memory.eta_labels.min(axis=1), rtol=1e-7, atol=1e-12)


def test_of_rows_on_disk_few_are_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No array has a number for each row and class, in the fit and in the influences."""
    x = on_disk([sp.csr_array(sparse().x)])
    labels, seen = np.arange(x.shape[0]) % 3, []

    def watched(logits: np.ndarray) -> np.ndarray:
        seen.append(len(logits))
        return softmax(logits)

    for module in ("influence.softmax", "influence.softmax_blocks", "models.softmax_regression"):
        monkeypatch.setattr(f"{module}.softmax", watched)
    monkeypatch.setattr("influence.rows.SLICE_ROWS", 50)
    w = fit_softmax(x, labels, 3, C)
    softmax_influence_in_blocks((x, labels), (x, labels), w, C)
    assert max(seen) == 50
