"""Softmax regression without an intercept on soft labels and weighted samples, to a rough tolerance: a repair makes many fits."""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import logsumexp

from influence.logistic import Matrix
from influence.softmax import transposed
from influence.solvers import SCALE, SolverError

ROUGH_TOLERANCE = 5e-4  # of the largest entry of grad J(0): held-out losses then change in the fifth digit
MOST_ITERATIONS = 150
STEEPEST = 1e100  # gradient at zero from which nothing can be fitted
LBFGS_PAIRS = 12  # that L-BFGS remembers


def fit_soft(x: Matrix, targets: np.ndarray, C: float, weights: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """argmin J, (K, d), roughly, by L-BFGS from `start`, zeros if None:

        J(W) = 1/2 |W|^2 + C sum_i s_i CE(t_i, softmax(W x_i)),   CE(t, p) = - sum_k t_k ln p_k

    x: (n, d). targets: t (n, K), rows that sum to 1. weights: s (n,), 0 or more. Raises `SolverError`.
    """
    classes, scale = targets.shape[1], C * weights[:, None]
    begin = np.zeros((classes, x.shape[1])) if start is None else start

    def value_and_slope(vector: np.ndarray) -> tuple[float, np.ndarray]:
        W = vector.reshape(begin.shape)
        logits = x @ W.T
        log_p = logits - logsumexp(logits, axis=1, keepdims=True)
        value = 0.5 * vector @ vector - (scale * targets * log_p).sum()
        return float(value), (W + transposed(x, scale * (np.exp(log_p) - targets))).ravel()

    steepest = float(np.abs(value_and_slope(np.zeros(begin.size))[1]).max(initial=0.0))
    if not steepest < STEEPEST:
        raise SolverError(f"the features are too large: the gradient at zero is {steepest:.3g}; {SCALE}")
    bound = ROUGH_TOLERANCE * steepest
    options = {"maxiter": MOST_ITERATIONS, "maxcor": LBFGS_PAIRS, "gtol": bound, "ftol": 1e-10}
    return minimize(value_and_slope, begin.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(begin.shape)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(n, K)."""
    return np.eye(classes)[labels]


def stacked(*rows: Matrix) -> Matrix:
    """Rows one below the other, dense or CSR as the first are: parts of one data set need not be stored alike."""
    if sp.issparse(rows[0]):
        return sp.csr_array(sp.vstack([sp.csr_array(part) for part in rows]))
    return np.vstack([part.toarray() if sp.issparse(part) else part for part in rows])
