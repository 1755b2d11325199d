"""Influence of training samples on the validation loss, and relabeling by it: pure functions of arrays."""

from influence.logistic import Fit, Influence, logistic_influence
from influence.relabel import harmful, relabel
from influence.softmax import LabelInfluence, SoftmaxFit, softmax_influence
from influence.solvers import Solution, SolverError

__all__ = [
    "Fit",
    "Influence",
    "LabelInfluence",
    "SoftmaxFit",
    "Solution",
    "SolverError",
    "harmful",
    "logistic_influence",
    "relabel",
    "softmax_influence",
]
