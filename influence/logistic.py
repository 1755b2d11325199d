"""Influence in L2-regularised logistic regression, in closed form.

The objective is liblinear's, without an intercept, labels y in {0, 1}, s = 2y - 1 [released]:

    J(w) = 1/2 |w|^2 + C sum_i ln(1 + exp(-s_i w^T x_i))

Everything below is a function of the logits z = X w, so that it stays exact where a probability rounds to 0 or 1.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.special import expit

from influence.solvers import RTOL, Product, Solution, SolverError, conjugate_gradient

Matrix: TypeAlias = Any  # np.ndarray or scipy.sparse.csr_array, float64; scipy has no type stubs
Solver = Literal["auto", "cholesky", "cg"]
SOLVERS: tuple[Solver, ...] = ("auto", "cholesky", "cg")

BLOCK_BYTES = 2**22  # of a dense block of rows while the Hessian is summed: fits the cache, and bounds the memory
# Measured, one thread: dense products do 20 times the floating-point operations a second of CSR ones; and a solve to 1e-10
# takes 10 to 200 iterations.
CHOLESKY_SPEED = 20
CG_ITERATIONS = 200
CHOLESKY_MAX = 10_000  # columns: a Hessian of 0.8 GB


class Influence(NamedTuple):
    """What each training sample does to the validation loss (`logistic_influence`)."""

    phi: np.ndarray  # (n,)
    eta: np.ndarray  # (n,)
    solution: Solution  # u = H^-1 C grad l_Q, its residual and how it was found


def loss_slope(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """d l_i / d z_i = p_i - y_i, (n,), written so that a small difference does not cancel: -s expit(-s z)."""
    signs = 2.0 * labels - 1.0
    return -signs * expit(-signs * logits)


def loss_curvature(logits: np.ndarray) -> np.ndarray:
    """d^2 l_i / d z_i^2 = p_i (1 - p_i), (n,)."""
    return expit(logits) * expit(-logits)


def logistic_hessian(x: Matrix, logits: np.ndarray, C: float) -> np.ndarray:
    """H = I + C X^T diag(p (1 - p)) X, (d, d), summed over blocks of rows that are dense one at a time.

    x: (n, d), logits: (n,).
    """
    n, d = x.shape
    scale = np.sqrt(C * loss_curvature(logits))  # (n,)
    hessian = np.eye(d)
    rows = max(1, BLOCK_BYTES // (8 * max(1, d)))
    for start in range(0, n, rows):
        block = x[start : start + rows]
        scaled = (block.toarray() if sp.issparse(block) else block) * scale[start : start + rows, None]
        hessian += scaled.T @ scaled  # numpy hands A^T A to a routine that does half the work
    return hessian


def logistic_hvp(x: Matrix, logits: np.ndarray, C: float) -> Callable[[np.ndarray], np.ndarray]:
    """v -> H v = v + C X^T (p (1 - p) * (X v)), (d,) to (d,), by two products with X (n, d)."""
    curvature = C * loss_curvature(logits)
    return lambda vector: vector + x.T @ (curvature * (x @ vector))


def hessian_diagonal(x: Matrix, logits: np.ndarray, C: float) -> np.ndarray:
    """diag H = 1 + C sum_i p_i (1 - p_i) x_i^2, (d,): the preconditioner."""
    squares = sp.csr_array((x.data**2, x.indices, x.indptr), shape=x.shape) if sp.issparse(x) else x**2
    return 1.0 + squares.T @ (C * loss_curvature(logits))


def inverse_hvp(
    x: Matrix, logits: np.ndarray, C: float, vector: np.ndarray, solver: Solver = "auto", rtol: float = RTOL
) -> Solution:
    """u = H^-1 v with |v - H u| <= rtol |v|: conjugate gradients, preconditioned by H's Cholesky factor or by its diagonal.

    x: (n, d) and logits: (n,) at the fit; vector: v (d,). solver: "cholesky" forms H, and needs one iteration or two; "cg"
    needs two products with X an iteration; "auto" takes what the sizes say is faster. Raises `SolverError`.
    """
    if solver == "auto":
        solver = choose_solver(len(logits), len(used_columns(x)), x.nnz if sp.issparse(x) else x.size)
    precondition = _by_cholesky if solver == "cholesky" else _by_diagonal
    return conjugate_gradient(logistic_hvp(x, logits, C), vector, precondition(x, logits, C), rtol)


def used_columns(x: Matrix) -> np.ndarray:
    """Which columns of x (n, d) have anything in them, ascending: in all others H is the identity."""
    if not sp.issparse(x):
        return np.flatnonzero(x.any(axis=0))
    used = np.zeros(x.shape[1], dtype=bool)
    used[x.indices] = True
    return np.flatnonzero(used)


def choose_solver(n: int, d: int, stored: int) -> Solver:
    """The solver that should be faster for n samples, d columns in use and so many stored values.

    Cholesky: n d^2 + d^3 / 3 operations, dense. Conjugate gradients: 4 a stored value and iteration.
    """
    cholesky = n * d**2 + d**3 / 3
    return "cholesky" if d <= CHOLESKY_MAX and cholesky <= CHOLESKY_SPEED * CG_ITERATIONS * 4 * stored else "cg"


def _by_diagonal(x: Matrix, logits: np.ndarray, C: float) -> Product:
    diagonal = hessian_diagonal(x, logits, C)
    return lambda residual: residual / diagonal


def _by_cholesky(x: Matrix, logits: np.ndarray, C: float) -> Product:
    used = used_columns(x)
    try:
        factor = scipy.linalg.cho_factor(logistic_hessian(x[:, used], logits, C), overwrite_a=True)
    except (np.linalg.LinAlgError, ValueError) as error:  # a pivot that is not positive, a value that is not finite
        raise SolverError(f"the Hessian has no Cholesky factor ({error}): the features are too large; scale them") from error

    def solve(residual: np.ndarray) -> np.ndarray:
        solution = residual.copy()
        solution[used] = scipy.linalg.cho_solve(factor, residual[used], check_finite=False)
        return solution

    return solve


class Fit(NamedTuple):
    """Rows with their given labels and the logits that the fitted model gives them."""

    x: Matrix  # (n, d)
    labels: np.ndarray  # (n,) 0 or 1
    logits: np.ndarray  # (n,)


def logistic_influence(train: Fit, validation: Fit, C: float, solver: Solver = "auto", rtol: float = RTOL) -> Influence:
    """Influence of every training sample on the validation loss, from one solve (Koh and Liang 2017; Kong et al. 2022).

        u = H^-1 C sum_{j in Q} g_j,   g_i = (p_i - y_i) x_i
        Phi_i = - C g_i^T u              eta_i = - C (g_i' - g_i)^T u = - Phi_i / (1 - phi_m)

    with g_i' the gradient at the flipped label and phi_m the probability of the given one. Scale [released]: to first order
    the *summed* validation log-loss changes by -Phi_i / C when sample i is removed, and by eta_i / C when its label is
    flipped. Phi_i > 0: the sample does harm. Raises `SolverError` where H cannot be inverted to `rtol`.
    """
    validation_gradient = C * (validation.x.T @ loss_slope(validation.logits, validation.labels))  # (d,)
    solution = inverse_hvp(train.x, train.logits, C, validation_gradient, solver, rtol)
    along = C * (train.x @ solution.vector)  # (n,) C x_i^T u
    phi = -loss_slope(train.logits, train.labels) * along
    eta = -(2.0 * train.labels - 1.0) * along  # (p - y') - (p - y) = 2 y - 1
    return Influence(phi, eta, solution)
