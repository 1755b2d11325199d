"""Influence in softmax regression for rows in blocks: only sums over rows leave a block, and four numbers a row come out.

The formulas are those of `influence.softmax`. A block computes its logits from the weights wherever it needs them, so that no array
of n x K numbers is kept.
"""

from typing import NamedTuple

import numpy as np

from influence.logistic import Matrix
from influence.relabel import check_labels
from influence.rows import AnyRows, RowVector, as_row_vector, each, in_blocks, total
from influence.softmax import (
    Preconditioner,
    along_labels,
    by_columns,
    label_slope,
    same_for_all,
    shared_curvature,
    softmax,
    softmax_curved,
    transposed,
)
from influence.solvers import RTOL, Solution, conjugate_gradient


class BestLabels(NamedTuple):
    """What each training sample does to the validation loss, and the label that lowers it most."""

    phi: RowVector  # (n,)
    eta: RowVector  # (n,) of relabeling by R
    best: RowVector  # (n,) the label k with the least eta_i(k)
    eta_best: RowVector  # (n,) eta_i(best)
    solution: Solution  # H^-1 C grad l_Q, (K d,)


def label_gradient(x: Matrix, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_i (p_i - e_{y_i}) x_i^T, (K, d), over the rows of a block."""
    return transposed(x, label_slope(x @ weights.T, labels))


def class_curvature(x: Matrix, weights: np.ndarray, C: float) -> np.ndarray:
    """`shared_curvature` of the rows of a block."""
    return shared_curvature(softmax(x @ weights.T), C)


def class_curved(x: Matrix, weights: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`softmax_curved` of the rows of a block. matrix: (K, d)."""
    return softmax_curved(x, softmax(x @ weights.T), matrix)


def best_labels(x: Matrix, labels: np.ndarray, weights: np.ndarray, solution: Solution, C: float) -> tuple[np.ndarray, ...]:
    """The fields of `BestLabels` of the rows of a block, but for the solution."""
    along = C * (x @ solution.vector.reshape(weights.shape).T)
    found = along_labels(along, x @ weights.T, labels, solution)
    return found.phi, found.eta, found.eta_labels.argmin(axis=1), found.eta_labels.min(axis=1)


def block_preconditioner(x: AnyRows, weights: np.ndarray, C: float) -> Preconditioner:
    """`mean_preconditioner` of each class."""
    return same_for_all(x, each(x, class_curvature, shared=(weights, C)))


def softmax_influence_in_blocks(
    train: tuple[AnyRows, np.ndarray], validation: tuple[AnyRows, np.ndarray], weights: np.ndarray, C: float, rtol: float = RTOL
) -> BestLabels:
    """`softmax_influence` of rows in blocks, at weights (K, d). Raises `SolverError`.

    train, validation: rows and their labels (n,), integers below K.
    """
    classes, x, x_validation = len(weights), in_blocks(train[0]), in_blocks(validation[0])
    for _, labels in (train, validation):
        check_labels(labels, classes)
    given, y_validation = as_row_vector(x, train[1]), as_row_vector(x_validation, validation[1])
    target = C * total(x_validation, label_gradient, y_validation, shared=(weights,))

    def product(matrix: np.ndarray) -> np.ndarray:
        return matrix + C * total(x, class_curved, shared=(weights, matrix))

    precondition = block_preconditioner(x, weights, C).solve
    found = conjugate_gradient(by_columns(product, classes), target.T.ravel(), by_columns(precondition, classes), rtol)
    solution = found._replace(vector=found.vector.reshape(-1, classes).T.ravel())
    phi, eta, best, eta_best = each(x, best_labels, given, shared=(weights, solution, C))
    return BestLabels(phi, eta, best, eta_best, solution)
