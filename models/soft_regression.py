"""Softmax regression without an intercept on soft labels and weighted samples, to a rough tolerance: a repair makes many fits."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from influence.logistic import Matrix
from influence.softmax import Preconditioner, centred, softmax, softmax_and_log, transposed
from influence.solvers import SCALE, Product, SolverError
from models.softmax_regression import FitPoint, minimised

ROUGH_TOLERANCE = 5e-4  # of |grad J(V)| / |grad J(0)|: held-out losses then change in the fourth digit
STEEPEST = 1e100  # gradient at zero from which nothing can be fitted
FITTED = 0.3  # variance of a class's indicator at a fit, as a share of that at W = 0
MANY_COLUMNS = 100_000  # from which those that no row has are left out of a fit
PLAIN = Preconditioner(lambda residual: residual, np.inf)


class SoftProblem(NamedTuple):
    """J(V) = 1/2 |V u|^2 + C sum_i s_i CE(t_i, softmax(V x_i)),   CE(t, p) = - sum_k t_k ln p_k."""

    x: Matrix  # (n, d) in the units u
    squared: np.ndarray | float  # u^2, (d,)
    scale: np.ndarray  # C s, (n, 1)
    scaled: np.ndarray  # C s t, (n, K)

    def at(self, weights: np.ndarray) -> FitPoint:
        """Everything of one point, by two products with X. weights: V (K, d)."""
        logits, penalised = self.x @ weights.T, weights * self.squared
        p, log_p = softmax_and_log(logits)
        value = float(0.5 * np.vdot(weights, penalised) - np.vdot(self.scaled, log_p))
        return FitPoint(weights, logits, value, penalised + transposed(self.x, self.scale * p - self.scaled))

    def hvp(self, point: FitPoint) -> Product:
        """v -> H v, (K, d), at a point."""
        p = softmax(point.logits)
        return lambda v: v * self.squared + transposed(self.x, self.scale * centred(p, self.x @ v.T))


def fit_soft(x: Matrix, targets: np.ndarray, C: float, weights: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """argmin J with u = 1, (K, d), roughly, from `start`, zeros if None.

    x: (n, d). targets: t (n, K), rows that sum to 1. weights: s (n,), 0 or more. Raises `SolverError`.
    """
    classes, columns, scale = targets.shape[1], x.shape[1], C * weights[:, None]
    if columns > MANY_COLUMNS and sp.issparse(x):
        used = np.flatnonzero(np.bincount(x.indices, minlength=columns))
        if len(used) < columns:
            W = np.zeros((classes, columns))  # a column without values has the weight 0
            W[:, used] = fit_soft(x[:, used], targets, C, weights, None if start is None else start[:, used])
            return W
    scaled, dense = scale * targets, not sp.issparse(x)
    largest = float(np.abs(transposed(x, scale / classes - scaled)).max(initial=0.0))
    if not largest < STEEPEST:
        raise SolverError(f"the features are too large: the gradient at zero is {largest:.3g}; {SCALE}")
    units = units_of(x, scale[:, 0], classes) if dense else 1.0
    problem = SoftProblem(x * units if dense else x, np.square(units), scale, scaled)
    zero = problem.at(np.zeros((x.shape[1], classes)).T)
    begin = zero if start is None else problem.at(np.asfortranarray(start / units))
    found = minimised(problem, begin, float(np.linalg.norm(zero.slope)), ROUGH_TOLERANCE, lambda _: PLAIN)
    return np.ascontiguousarray(found.weights * units)


def units_of(x: np.ndarray, scale: np.ndarray, classes: int) -> np.ndarray:
    """Units of the columns, (d,), in which the curvature along each is about 1: 1 + sum_i C s_i v x_ij^2.

    scale: C s, (n,). v is the variance of a class's indicator. Along principal axes (`models.axes`) the curvature between two
    columns is small then; of sparse features it is not, and nothing is gained by units.
    """
    variance = FITTED * (classes - 1) / classes**2
    return 1.0 / np.sqrt(1.0 + variance * np.einsum("nd,nd,n->d", x, x, scale))


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(n, K)."""
    return np.eye(classes)[labels]


def stacked(*rows: Matrix) -> Matrix:
    """Rows one below the other, dense or CSR as the first are: parts of one data set need not be stored alike."""
    if sp.issparse(rows[0]):
        return sp.csr_array(sp.vstack([sp.csr_array(part) for part in rows]))
    return np.vstack([part.toarray() if sp.issparse(part) else part for part in rows])
