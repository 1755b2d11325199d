"""Logistic regression on rows that lie in blocks or on a GPU, as RDIA's other models (`models.model`)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from influence.logistic import Fit, logistic_influence
from influence.relabel import relabel
from influence.rows import Rows, RowVector, each, times
from models.logistic import fit_logistic
from models.model import Scores

LARGE = 1e9  # a logit: exp(-LARGE) is 0


@dataclass(frozen=True, eq=False)
class Some:
    """Rows, of which some may be left out: they stay where they are, and weigh nothing."""

    rows: Rows
    keep: np.ndarray | None = None  # (n,) bool, those that are not; None: all are there

    def __getitem__(self, places: np.ndarray) -> "Some":
        """The rows of a mask (n,) bool, or at ascending places, of rows that are all there."""
        keep = np.zeros(self.rows.shape[0], dtype=bool)
        keep[places] = True
        return replace(self, keep=keep)

    def vector(self, numbers: np.ndarray) -> RowVector:
        """One number for each row that is there, as a row vector over all of them: 1 for those that are not."""
        if self.keep is None:
            return self.rows.vector(numbers)
        spread = np.ones(len(self.keep), dtype=numbers.dtype)
        spread[self.keep] = numbers
        return self.rows.vector(spread)

    def weights(self) -> RowVector:
        """omega: 1, or 0 for rows that are left out."""
        return 1.0 if self.keep is None else self.rows.vector(self.keep.astype(np.int8))


class RowsModel(NamedTuple):
    """A classifier of two classes, with the objective's C."""

    C: float
    place: Callable[[Any], Rows] | None = None  # of a matrix; None: the data set's rows are in their place
    classes: int = 2

    def inputs(self, x: Any) -> Some:
        """The rows where they are computed with."""
        return Some(self.place(x) if self.place else x)

    def fit(self, x: Some, labels: np.ndarray, relabeled: np.ndarray | None = None) -> np.ndarray:
        """Weights, (d,). relabeled: (n,) bool, samples whose label R changes. Raises `SolverError`."""
        given = labels if relabeled is None else relabel(labels, relabeled)
        return fit_logistic(x.rows, x.vector(given), self.C, x.weights())

    def logits(self, x: Some, weights: np.ndarray) -> np.ndarray:
        """z = X w, (n,)."""
        logits = np.asarray(x.rows.numbers(each(x.rows, times, shared=(weights,))))
        return logits if x.keep is None else logits[x.keep]

    def influence(
        self, x: Some, labels: np.ndarray, x_validation: Some, labels_validation: np.ndarray, weights: np.ndarray
    ) -> Scores:
        """Influence of every training sample on the validation loss, at `weights`. x: all there. Raises `SolverError`."""
        train, validation = (
            Fit(some.rows, some.vector(given), each(some.rows, logits_there, some.weights(), shared=(weights,)))
            for some, given in ((x, labels), (x_validation, labels_validation))
        )
        found = logistic_influence(train, validation, self.C)
        best, eta_best = each(x.rows, suggested, train.labels, found.eta)
        phi, eta, best, eta_best = map(x.rows.numbers, (found.phi, found.eta, best, eta_best))
        return Scores(phi, eta, best, eta_best, found.solution.residual)


def logits_there(x: Any, omega: RowVector, weights: np.ndarray) -> RowVector:
    """The logits of the rows of a block; of one that is left out, whose label is 1, so large that it has no loss."""
    return times(x, weights) + LARGE * (1.0 - omega)


def suggested(_: object, labels: RowVector, eta: RowVector) -> tuple[RowVector, RowVector]:
    """The label with the least eta of the rows of a block, and that eta: the given one's is 0."""
    helps = eta < 0
    return labels + helps * (1 - 2 * labels), eta * helps
