"""L2-regularised logistic regression without an intercept, as RDIA is defined on it [released]."""

import warnings
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from data.matrix import short_indices
from influence.logistic import Matrix, curvature, inverse_hvp, loss_slope
from influence.relabel import check_labels
from influence.rows import AnyRows, RowVector, each, in_memory, total
from influence.solvers import SolverError

Weights: TypeAlias = np.ndarray | float  # omega, one per sample or one for all

TOLERANCE = 1e-7  # of |grad J(w)| / |grad J(0)|, and what liblinear is asked for [released]
LIBLINEAR_ITERATIONS = 1_000
LARGEST_FEATURE = 1e30  # above it scikit-learn refuses to call liblinear
LEAST_FEATURE = 1e-150  # below it squares of gradients are 0 and liblinear does not end; also catches zeros and no rows at all
NEWTON_STEPS = 100
NEWTON_RTOL = 1e-3  # a step solved to this brings the gradient down a thousandfold near the optimum
FAR_RTOL = 0.1  # far from it a better step is not worth its time
LEAST_FALL = 1e-4  # by which a whole step must reduce the gradient's norm, relatively; half a step by half of it, and so on
SHORTEST_STEP = 2.0**-30  # share of a Newton step at which halving ends


def logistic_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy l_i = ln(1 + exp(-s_i z_i)), s_i = 2 y_i - 1, in nats, (n,); finite for finite logits."""
    return np.logaddexp(0.0, -(2.0 * labels - 1.0) * logits)


def objective(weights: np.ndarray, x: Matrix, labels: np.ndarray, C: float, sample_weights: Weights = 1.0) -> float:
    """J(w) = 1/2 |w|^2 + C sum_i omega_i l_i, liblinear's. weights: (d,), x: (n, d), labels: (n,) 0 or 1.

    sample_weights: omega, (n,) or one number for all.
    """
    return float(0.5 * weights @ weights + C * (sample_weights * logistic_losses(x @ weights, labels)).sum())


def gradient(weights: np.ndarray, x: AnyRows, labels: RowVector, C: float, sample_weights: RowVector = 1.0) -> np.ndarray:
    """grad J(w) = w + C X^T (omega (p - y)), (d,)."""
    return weights + C * total(x, weighted_gradient, labels, sample_weights, shared=(weights,))


def weighted_gradient(x: Matrix, labels: np.ndarray, sample_weights: Weights, weights: np.ndarray) -> np.ndarray:
    """X^T (omega (p - y)), (d,), over the rows of a block."""
    return x.T @ (sample_weights * loss_slope(x @ weights, labels))


def weighted_curvature(x: Matrix, sample_weights: Weights, weights: np.ndarray, C: float) -> np.ndarray:
    """omega_i c_i of the rows of a block."""
    return sample_weights * curvature(x @ weights, C)


def fit_logistic(x: AnyRows, labels: RowVector, C: float, sample_weights: RowVector = 1.0) -> np.ndarray:
    """argmin J, (d,), with |grad J(w)| <= 1e-7 |grad J(0)|.

    For a matrix in memory liblinear's answer, improved by Newton steps if needed; otherwise Newton steps from w = 0.
    x: (n, d), labels: (n,) 0 or 1 in any share, sample_weights: omega, (n,) above 0, or one number for all; no rows give
    w = 0. Raises `SolverError` if the inequality cannot be reached, `ValueError` for other labels.
    """
    check_labels(labels, 2)
    x = short_indices(x)
    start = _liblinear(x, labels, C, sample_weights) if in_memory(x) else np.zeros(x.shape[1])  # liblinear copies the rows
    return newton(start, x, labels, C, sample_weights)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is an error, here and in the solver
def newton(weights: np.ndarray, x: AnyRows, labels: RowVector, C: float, sample_weights: RowVector) -> np.ndarray:
    """`fit_logistic` by Newton steps from some weights.

    A step solves H s = grad J by conjugate gradients, inexactly while the gradient is large (Dembo, Eisenstat and Steihaug 1982),
    and is halved until the gradient's norm falls by enough (Eisenstat and Walker 1994): J is strictly convex, so that only its
    minimum has a norm that cannot.
    """
    slope = gradient(weights, x, labels, C, sample_weights)
    at_zero = gradient(np.zeros_like(weights), x, labels, C, sample_weights) if weights.any() else slope
    first = float(np.linalg.norm(at_zero))
    if not np.isfinite(first):
        raise SolverError("the gradient of logistic regression is not finite at w = 0: the features are too large; scale them")
    for _ in range(NEWTON_STEPS):
        norm = float(np.linalg.norm(slope))
        if norm <= TOLERANCE * first:
            return weights
        c = each(x, weighted_curvature, sample_weights, shared=(weights, C))
        step = inverse_hvp(x, c, slope, rtol=min(FAR_RTOL, max(NEWTON_RTOL, norm / first))).vector
        size, slope = 1.0, gradient(weights - step, x, labels, C, sample_weights)
        while not np.linalg.norm(slope) <= (1 - LEAST_FALL * size) * norm and size > SHORTEST_STEP:
            size /= 2
            slope = gradient(weights - size * step, x, labels, C, sample_weights)
        if size <= SHORTEST_STEP:
            break
        weights = weights - size * step
    raise SolverError(
        f"logistic regression is at a gradient of {norm:.3g}, expected {TOLERANCE * first:.3g} or less, and no Newton step"
        " reduces it; scale the features to similar ranges, or choose a smaller --C"
    )


def largest_feature(x: Matrix) -> float:
    """max |x_ij|. Raises `SolverError` where it is above `LARGEST_FEATURE`."""
    largest = float(max(x.max(), -x.min())) if x.shape[0] and x.shape[1] else 0.0
    if largest > LARGEST_FEATURE:
        raise SolverError(f"features go up to {largest:.3g}, a fit takes {LARGEST_FEATURE:.0e} at most; scale the features")
    return largest


def _liblinear(x: Matrix, labels: np.ndarray, C: float, sample_weights: Weights) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if largest_feature(x) < LEAST_FEATURE:
        return np.zeros(x.shape[1])
    omega = np.broadcast_to(sample_weights, len(labels))
    if len(np.unique(labels)) < 2:
        x, labels, omega = _both_classes(x), np.append(labels, [0, 1]), np.append(omega, [1, 1])
    model = LogisticRegression(C=C, solver="liblinear", tol=TOLERANCE, fit_intercept=False, max_iter=LIBLINEAR_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `fit_logistic` looks at the gradient itself
        return model.fit(x, labels, omega).coef_[0]


def _both_classes(x: Matrix) -> Matrix:
    """x and two rows of zeros, for one label of each class: liblinear requires both, and a row of zeros adds a constant to J."""
    empty = np.zeros((2, x.shape[1]))
    return sp.csr_array(sp.vstack([x, empty])) if sp.issparse(x) else np.vstack([x, empty])
