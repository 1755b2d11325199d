"""One interface to the two linear models: logistic regression for two classes, softmax regression for more."""

from typing import Literal, NamedTuple

import numpy as np

from influence.logistic import Fit, Matrix, Solver, logistic_influence
from influence.relabel import relabel
from influence.softmax import SoftmaxFit, softmax_influence
from models.logistic import fit_logistic
from models.softmax import fit_softmax

Mode = Literal["R", "best", "drop"]
MODES: tuple[Mode, ...] = ("R", "best", "drop")


class Scores(NamedTuple):
    """What each training sample does to the validation loss, and what changing its label would do."""

    phi: np.ndarray  # (n,)
    eta: np.ndarray  # (n,) of relabeling by R
    best: np.ndarray  # (n,) the label k with the least eta_i(k); the given one where no other helps
    eta_best: np.ndarray  # (n,) eta_i(best)
    residual: float  # of the solve, relative


class LinearModel(NamedTuple):
    """A linear classifier of so many classes, with the objective's C."""

    classes: int
    C: float
    solver: Solver = "auto"  # of logistic regression

    def fit(self, x: Matrix, labels: np.ndarray, relabeled: np.ndarray | None = None) -> np.ndarray:
        """Weights, (d,) or (K, d). relabeled: (n,) bool, samples whose label R changes. Raises `SolverError`."""
        if self.classes > 2:
            return fit_softmax(x, labels, self.classes, self.C, relabeled)
        return fit_logistic(x, labels if relabeled is None else relabel(labels, relabeled), self.C)

    def influence(
        self, x: Matrix, labels: np.ndarray, x_validation: Matrix, labels_validation: np.ndarray, weights: np.ndarray
    ) -> Scores:
        """Influence of every training sample and label on the validation loss, at `weights`. Raises `SolverError`."""
        logits, logits_validation = x @ weights.T, x_validation @ weights.T
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

    def refit(self, x: Matrix, labels: np.ndarray, scores: Scores, chosen: np.ndarray, mode: Mode) -> np.ndarray:
        """Weights of a fit from scratch in which the chosen samples are relabeled by R, or to their best label, or left out.

        chosen: (n,) bool. Raises `SolverError`.
        """
        if mode == "R":
            return self.fit(x, labels, chosen)
        if mode == "best":
            return self.fit(x, np.where(chosen, scores.best, labels))
        return self.fit(x[~chosen], labels[~chosen])
