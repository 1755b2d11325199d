"""One interface to the two linear models: logistic regression for two classes, softmax regression for more."""

from typing import NamedTuple

import numpy as np

from influence.logistic import Fit, Matrix, Solver, logistic_influence
from influence.relabel import relabel
from influence.softmax import SoftmaxFit, softmax_influence
from models.logistic import fit_logistic
from models.model import Scores
from models.softmax import fit_softmax


class LinearModel(NamedTuple):
    """A linear classifier of so many classes, with the objective's C."""

    classes: int
    C: float
    solver: Solver = "auto"  # of logistic regression

    def inputs(self, x: Matrix) -> Matrix:
        """The rows as they are."""
        return x

    def fit(self, x: Matrix, labels: np.ndarray, relabeled: np.ndarray | None = None) -> np.ndarray:
        """Weights, (d,) or (K, d). relabeled: (n,) bool, samples whose label R changes. Raises `SolverError`."""
        if self.classes > 2:
            return fit_softmax(x, labels, self.classes, self.C, relabeled)
        return fit_logistic(x, labels if relabeled is None else relabel(labels, relabeled), self.C)

    def logits(self, x: Matrix, weights: np.ndarray) -> np.ndarray:
        """(n,) or (n, K)."""
        return x @ weights.T

    def influence(
        self, x: Matrix, labels: np.ndarray, x_validation: Matrix, labels_validation: np.ndarray, weights: np.ndarray
    ) -> Scores:
        """Influence of every training sample and label on the validation loss, at `weights`. Raises `SolverError`."""
        logits, logits_validation = self.logits(x, weights), self.logits(x_validation, weights)
        if self.classes > 2:
            fits = SoftmaxFit(x, labels, logits), SoftmaxFit(x_validation, labels_validation, logits_validation)
            found = softmax_influence(*fits, self.C)
            best = found.eta_labels.argmin(axis=1)
            return Scores(found.phi, found.eta, best, found.eta_labels.min(axis=1), found.solution.residual)
        two = logistic_influence(
            Fit(x, labels, logits), Fit(x_validation, labels_validation, logits_validation), self.C, self.solver
        )
        best = np.where(two.eta < 0, 1 - labels, labels)
        return Scores(two.phi, two.eta, best, np.minimum(two.eta, 0.0), two.solution.residual)
