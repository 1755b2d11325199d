"""What RDIA needs from a classifier, and the fit after relabeling, which is the same for all classifiers."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from influence.logistic import Matrix
from models.metrics import evaluate

Mode = Literal["R", "best", "drop"]
MODES: tuple[Mode, ...] = ("R", "best", "drop")


class Scores(NamedTuple):
    """What each training sample does to the validation loss, and what changing its label would do."""

    phi: np.ndarray  # (n,)
    eta: np.ndarray  # (n,) of relabeling by R
    best: np.ndarray  # (n,) the label k with the least eta_i(k); the given one where no other label helps
    eta_best: np.ndarray  # (n,) eta_i(best)
    residual: float  # of the solve, relative
    damping: float | None = None  # of a network's curvature, in the unit of its eigenvalues
    largest: float | None = None  # the largest of them, estimated


class Model(Protocol):
    """A classifier of K classes, and how it is fitted.

    Rows below are what `inputs` returns, weights what `fit` returns.
    """

    @property
    def classes(self) -> int:
        """K."""

    def inputs(self, x: Matrix) -> Any:
        """The n rows of a data set as the model takes them. x: (n, d)."""

    def fit(self, x: Any, labels: np.ndarray, relabeled: np.ndarray | None = None) -> Any:
        """Weights fitted from scratch. labels: (n,), relabeled: (n,) bool, samples whose label R changes. Raises `SolverError`."""

    def logits(self, x: Any, weights: Any) -> np.ndarray:
        """Logits, (n,) of the second of two classes, (n, K) for more classes."""

    def influence(self, x: Any, labels: np.ndarray, x_validation: Any, labels_validation: np.ndarray, weights: Any) -> Scores:
        """Influence of every training sample and label on the validation loss, at `weights`. Raises `SolverError`."""


def refit(model: Model, x: Any, labels: np.ndarray, scores: Scores, chosen: np.ndarray, mode: Mode) -> Any:
    """Weights of a fit from scratch in which the chosen samples are relabeled by R, or to their best label, or left out.

    chosen: (n,) bool. Raises `SolverError`.
    """
    if mode == "R":
        return model.fit(x, labels, chosen)
    if mode == "best":
        return model.fit(x, np.where(chosen, scores.best, labels))
    return model.fit(x[~chosen], labels[~chosen])


def judge(model: Model, weights: Any, parts: Mapping[str, tuple[Any, np.ndarray]]) -> dict[str, dict[str, float | None]]:
    """Metrics (`models.metrics`) on each of some parts: rows as the model takes them, and their labels."""
    return {name: evaluate(model.logits(x, weights), labels)._asdict() for name, (x, labels) in parts.items()}
