"""L2-regularised logistic regression without an intercept, as RDIA is defined on it [released]."""

import warnings

import numpy as np
import scipy.sparse as sp

from influence.logistic import Matrix, curvature, inverse_hvp, loss_slope
from influence.solvers import SolverError

TOLERANCE = 1e-7  # of |grad J(w)| / |grad J(0)|, and what liblinear is asked for [released]
LIBLINEAR_ITERATIONS = 1_000
LARGEST_FEATURE = 1e30  # above it scikit-learn refuses to call liblinear
NEWTON_STEPS = 10
NEWTON_RTOL = 1e-3  # a step solved to this brings the gradient down a thousandfold near the optimum


def sample_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy l_i = ln(1 + exp(-s_i z_i)), s_i = 2 y_i - 1, in nats, (n,); finite for finite logits."""
    return np.logaddexp(0.0, -(2.0 * labels - 1.0) * logits)


def objective(weights: np.ndarray, x: Matrix, labels: np.ndarray, C: float) -> float:
    """J(w) = 1/2 |w|^2 + C sum_i l_i, liblinear's. weights: (d,), x: (n, d), labels: (n,) 0 or 1."""
    return float(0.5 * weights @ weights + C * sample_losses(x @ weights, labels).sum())


def gradient(weights: np.ndarray, x: Matrix, labels: np.ndarray, C: float) -> np.ndarray:
    """grad J(w) = w + C X^T (p - y), (d,)."""
    return weights + C * (x.T @ loss_slope(x @ weights, labels))


def fit_logistic(x: Matrix, labels: np.ndarray, C: float) -> np.ndarray:
    """argmin J, (d,), with |grad J(w)| <= 1e-7 |grad J(0)|: liblinear's answer, and Newton steps where it is short of that.

    x: (n, d), labels: (n,) 0 or 1 in any share; no rows at all give w = 0. Raises `SolverError` if the inequality cannot be
    reached.
    """
    weights = _liblinear(x, labels, C)
    bound = TOLERANCE * np.linalg.norm(gradient(np.zeros_like(weights), x, labels, C))
    for _ in range(NEWTON_STEPS):
        slope = gradient(weights, x, labels, C)
        if np.linalg.norm(slope) <= bound:
            return weights
        weights = weights - inverse_hvp(x, curvature(x @ weights, C), slope, rtol=NEWTON_RTOL).vector
    raise SolverError(
        f"logistic regression is at a gradient of {np.linalg.norm(slope):.3g} after liblinear and {NEWTON_STEPS} Newton steps,"
        f" expected {bound:.3g}; scale the features to a like size, or choose a smaller --C"
    )


def _liblinear(x: Matrix, labels: np.ndarray, C: float) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    largest = float(max(x.max(), -x.min())) if x.shape[0] and x.shape[1] else 0.0
    if largest > LARGEST_FEATURE:
        raise SolverError(f"features go up to {largest:.3g}, liblinear takes {LARGEST_FEATURE:.0e} at most; scale the features")
    if len(np.unique(labels)) < 2:
        x, labels = _both_classes(x, labels)
    model = LogisticRegression(C=C, solver="liblinear", tol=TOLERANCE, fit_intercept=False, max_iter=LIBLINEAR_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `fit_logistic` looks at the gradient itself
        return model.fit(x, labels).coef_[0]


def _both_classes(x: Matrix, labels: np.ndarray) -> tuple[Matrix, np.ndarray]:
    """Rows of zeros, one of each class: liblinear wants both, and a row of zeros adds a constant to J."""
    empty = np.zeros((2, x.shape[1]))
    stacked = sp.csr_array(sp.vstack([x, empty])) if sp.issparse(x) else np.vstack([x, empty])
    return stacked, np.concatenate([labels, [0, 1]])
