"""One interface to the two linear models: logistic regression for two classes, softmax regression for more."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from influence.logistic import Fit, Solver, logistic_influence
from influence.relabel import relabel
from influence.rows import AnyRows, Rows, as_numbers, as_row_vector, each, in_memory, times
from influence.softmax import SoftmaxFit, softmax_influence
from influence.softmax_blocks import softmax_influence_in_blocks
from models.logistic_regression import fit_logistic
from models.model import Scores
from models.softmax_regression import fit_softmax


class LinearModel(NamedTuple):
    """A linear classifier of K classes, with the C of its objective."""

    classes: int
    C: float
    solver: Solver = "auto"  # of logistic regression
    place: Callable[[Any], Rows] | None = None  # moves a matrix to the device that computes; None: rows stay where they are

    def inputs(self, x: AnyRows) -> AnyRows:
        """The rows, on the device that computes."""
        return self.place(x) if self.place else x

    def fit(self, x: AnyRows, labels: np.ndarray, relabeled: np.ndarray | None = None) -> np.ndarray:
        """Weights, (d,) or (K, d). relabeled: (n,) bool, samples whose label R changes. Raises `SolverError`."""
        if self.classes > 2:
            return fit_softmax(x, labels, self.classes, self.C, relabeled)
        return fit_logistic(x, as_row_vector(x, labels if relabeled is None else relabel(labels, relabeled)), self.C)

    def logits(self, x: AnyRows, weights: np.ndarray) -> np.ndarray:
        """(n,) or (n, K)."""
        return as_numbers(x, each(x, times, shared=(weights.T,)))

    def influence(
        self, x: AnyRows, labels: np.ndarray, x_validation: AnyRows, labels_validation: np.ndarray, weights: np.ndarray
    ) -> Scores:
        """Influence of every training sample and label on the validation loss, at `weights`. Raises `SolverError`."""
        if self.classes > 2 and not in_memory(x):
            several = softmax_influence_in_blocks((x, labels), (x_validation, labels_validation), weights, self.C)
            phi, eta, best, eta_best = (as_numbers(x, vector) for vector in several[:4])
            return Scores(phi, eta, best, eta_best, several.solution.residual)
        if self.classes > 2:
            train = SoftmaxFit(x, labels, x @ weights.T)
            found = softmax_influence(train, SoftmaxFit(x_validation, labels_validation, x_validation @ weights.T), self.C)
            best = found.eta_labels.argmin(axis=1)
            return Scores(found.phi, found.eta, best, found.eta_labels.min(axis=1), found.solution.residual)
        fit, validation = (
            Fit(rows, as_row_vector(rows, given), each(rows, times, shared=(weights,)))
            for rows, given in ((x, labels), (x_validation, labels_validation))
        )
        two = logistic_influence(fit, validation, self.C, self.solver)
        phi, eta = as_numbers(x, two.phi), as_numbers(x, two.eta)
        return Scores(phi, eta, np.where(eta < 0, 1 - labels, labels), np.minimum(eta, 0.0), two.solution.residual)
