"""Influence in L2-regularised logistic regression, in closed form.

The objective is liblinear's, without an intercept, labels y in {0, 1}, s = 2y - 1 [released]:

    J(w) = 1/2 |w|^2 + C sum_i ln(1 + exp(-s_i w^T x_i))

Everything below is a function of the logits z = X w, so that it stays exact where a probability rounds to 0 or 1.
An argument of type AnyRows may also be rows in blocks (`influence.rows`); a vector with one number a row is then in blocks too.
"""

import functools
import itertools
import operator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.special import expit

from influence.relabel import check_labels
from influence.rows import AnyRows, RowVector, each, in_memory, total
from influence.solvers import RTOL, SCALE, Product, Solution, SolverError, conjugate_gradient

Matrix: TypeAlias = Any  # np.ndarray or scipy.sparse.csr_array, float64; scipy has no type stubs
Solver = Literal["auto", "cholesky", "cg"]
SOLVERS: tuple[Solver, ...] = ("auto", "cholesky", "cg")

BLOCK_BYTES = 2**22  # of a dense block of rows while the Hessian is summed: it fits into the cache
SQUARED_VALUES = 2**20  # of rows on disk that are squared at a time: 8 MiB
CARRIED = 0.95  # share of the curvature that the samples in the Cholesky factor account for
# Measured on one thread: a dense product does 20 times as many floating-point operations a second as a CSR one; a solve to 1e-8
# without a factor takes 5 to 200 iterations.
CHOLESKY_SPEED = 20
CG_ITERATIONS = 200
CHOLESKY_MAX = 10_000  # columns: a Hessian of 0.8 GB


class Influence(NamedTuple):
    """What each training sample does to the validation loss (`logistic_influence`)."""

    phi: RowVector  # (n,)
    eta: RowVector  # (n,)
    solution: Solution  # u = H^-1 C grad l_Q, its residual and how it was found


def sigmoid(logits: Any) -> Any:
    """1 / (1 + exp(-z)), of an array or a tensor."""
    return expit(logits) if isinstance(logits, np.ndarray) else logits.sigmoid()


def loss_slope(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """d l_i / d z_i = p_i - y_i, (n,), written so that a small difference does not cancel: -s expit(-s z)."""
    signs = 2.0 * labels - 1.0
    return -signs * sigmoid(-signs * logits)


def curvature(logits: np.ndarray, C: float) -> np.ndarray:
    """c_i = C d^2 l_i / d z_i^2 = C p_i (1 - p_i), (n,): all that the Hessian, H = I + X^T diag(c) X, needs of the fit."""
    return C * sigmoid(logits) * sigmoid(-logits)


def loss_gradient(x: Matrix, labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """sum_i g_i = X^T (p - y), (d,), over the rows of a block."""
    return x.T @ loss_slope(logits, labels)


def row_curvature(_: Matrix, logits: np.ndarray, C: float) -> np.ndarray:
    """`curvature` of the rows of a block."""
    return curvature(logits, C)


def curved(x: Matrix, c: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """X^T diag(c) X v, (d,), over the rows of a block."""
    return x.T @ (c * (x @ vector))


def squared_columns(x: Matrix, c: np.ndarray) -> np.ndarray:
    """sum_i c_i x_i^2, (d,) or of each column of c (n, K), over the rows of a block.

    Of rows on disk some at a time: the squares lie in memory.
    """
    if not getattr(x, "on_disk", False):
        return squares(x).T @ c
    ends = np.linspace(0, x.shape[0], 2 + x.nnz // SQUARED_VALUES, dtype=int)
    return functools.reduce(operator.add, (squares(x[i:j]).T @ c[i:j] for i, j in itertools.pairwise(ends)))


def weighted_rows(x: Matrix, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """sum_i c_i x_i, (d,), and sum_i c_i, over the rows of a block."""
    return x.T @ c, c.sum()


def phi_and_eta(x: Matrix, labels: np.ndarray, logits: np.ndarray, solution: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
    """Phi and eta of the rows of a block, from u (d,), as in `logistic_influence`."""
    along = C * (x @ solution)  # (n,) C x_i^T u
    return -loss_slope(logits, labels) * along, -(2.0 * labels - 1.0) * along  # (p - y') - (p - y) = 2 y - 1


def logistic_hessian(x: Matrix, c: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """H = I + X^T diag(c) X, (d, d), summed over blocks of rows, of which only one is dense at a time.

    x: (n, d), c: (n,), rows: places of the rows to sum over, all if None.
    """
    n, d = x.shape
    hessian = np.eye(d)
    size = max(1, BLOCK_BYTES // (8 * max(1, d)))
    for start in range(0, n if rows is None else len(rows), size):
        part = slice(start, start + size) if rows is None else rows[start : start + size]
        block = x[part]
        scaled = (block.toarray() if sp.issparse(block) else block) * np.sqrt(c[part])[:, None]
        hessian += scaled.T @ scaled  # numpy hands A^T A to a routine that does half the work
    return hessian


def logistic_hvp(x: AnyRows, c: RowVector) -> Product:
    """v -> H v = v + X^T (c * (X v)), (d,) to (d,), by two products with X (n, d)."""
    return lambda vector: vector + total(x, curved, c, shared=(vector,))


def hessian_diagonal(x: AnyRows, c: RowVector) -> np.ndarray:
    """diag H = 1 + sum_i c_i x_i^2, (d,)."""
    return 1.0 + total(x, squared_columns, c)


def inverse_hvp(
    x: AnyRows, c: RowVector, vector: np.ndarray, solver: Solver = "auto", rtol: float = RTOL, remedy: str = SCALE
) -> Solution:
    """u = H^-1 v with |v - H u| <= rtol |v|: conjugate gradients with the preconditioner that `solver` names.

    "cholesky" factors H summed over the samples that account for most of it, and needs a few iterations; "cg" forms no matrix and
    needs more iterations; "auto" takes the faster one by `choose_solver`, and "cg" for rows that are not in memory. x: (n, d),
    c: (n,) of `curvature`, vector: v (d,). Raises `SolverError` where the inequality cannot be reached, which says the remedy.
    """
    diagonal = hessian_diagonal(x, c)
    if solver == "auto" and in_memory(x):
        used = int(np.count_nonzero(diagonal > 1))  # in the other columns H is the identity
        solver = choose_solver(len(c), used, x.size)  # of CSR the stored values
    precondition = cholesky_preconditioner if solver == "cholesky" else mean_preconditioner
    return conjugate_gradient(logistic_hvp(x, c), vector, precondition(x, c, diagonal), rtol, remedy=remedy)


def choose_solver(n: int, d: int, stored: int) -> Solver:
    """The solver that should be faster for n samples, d columns in use and that many stored values.

    Cholesky: n d^2 + d^3 / 3 operations, dense. Conjugate gradients: 4 a stored value and iteration.
    """
    cholesky = n * d**2 + d**3 / 3
    return "cholesky" if d <= CHOLESKY_MAX and cholesky <= CHOLESKY_SPEED * CG_ITERATIONS * 4 * stored else "cg"


def mean_preconditioner(x: AnyRows, c: RowVector, diagonal: np.ndarray) -> Product:
    """r -> M^-1 r for M = H's diagonal, and off it the part of rank one that the weighted mean of the samples accounts for.

    With m = X^T c / sqrt(sum c): M = diag(diag H - m^2) + m m^T, inverted by Sherman and Morrison's formula. Features that are
    mostly positive (words, pixels) have H's largest eigenvector along m. diagonal: diag H (d,), r: (d,) or columns (d, K).
    """
    weighted, weight = total(x, weighted_rows, c)
    mean = weighted / np.sqrt(weight or 1.0)
    rest = np.maximum(diagonal - mean**2, 1.0)  # 1 or more by Cauchy and Schwarz, but for rounding
    scaled = mean / rest
    scale = 1.0 + mean @ scaled
    return lambda residual: (residual.T / rest).T - np.multiply.outer(scaled, scaled @ residual / scale)


def cholesky_preconditioner(x: Matrix, c: np.ndarray, diagonal: np.ndarray) -> Product:
    """r -> M^-1 r by Cholesky, for M = H summed over the samples that account for most of it, with the diagonal of all of H.

    A sample accounts for c_i sum_j x_ij^2 / H_jj, its shares of the features' curvatures: at a good fit a few samples account for
    nearly all, and the product over the others is not worth its time. Where it takes more than half, all are summed: M is H.
    diagonal: diag H (d,).
    """
    carried = c * (squares(x) @ (1.0 / diagonal))  # (n,)
    order = np.argsort(-carried)
    count = int(np.searchsorted(np.cumsum(carried[order]), CARRIED * carried.sum())) + 1
    used = np.flatnonzero(diagonal > 1)  # in the other columns H is the identity
    rows = np.arange(len(c)) if 2 * count > len(c) else np.sort(order[:count])
    hessian = logistic_hessian(selected(x, rows, used), c[rows])
    np.fill_diagonal(hessian, diagonal[used])
    try:
        factor = scipy.linalg.cho_factor(hessian, overwrite_a=True)
    except (np.linalg.LinAlgError, ValueError) as error:  # a pivot that is not positive, a value that is not finite
        raise SolverError(f"the Hessian has no Cholesky factor ({error}): the features are too large; scale them") from error

    def solve(residual: np.ndarray) -> np.ndarray:
        solution = residual.copy()
        solution[used] = scipy.linalg.cho_solve(factor, residual[used], check_finite=False)
        return solution

    return solve


def selected(x: Matrix, rows: np.ndarray, columns: np.ndarray) -> Matrix:
    """These rows and columns, ascending; without a copy where they are all."""
    x = x if len(rows) == x.shape[0] else x[rows]
    return x if len(columns) == x.shape[1] else x[:, columns]


def squares(x: Matrix) -> Matrix:
    """x_ij^2, (n, d)."""
    return sp.csr_array((x.data**2, x.indices, x.indptr), shape=x.shape) if sp.issparse(x) else x**2


class Fit(NamedTuple):
    """Rows with their given labels and the logits that the fitted model gives them."""

    x: AnyRows  # (n, d)
    labels: RowVector  # (n,) 0 or 1
    logits: RowVector  # (n,)


def logistic_influence(train: Fit, validation: Fit, C: float, solver: Solver = "auto", rtol: float = RTOL) -> Influence:
    """Influence of every training sample on the validation loss, from one solve (Koh and Liang 2017; Kong et al. 2022).

        u = H^-1 C sum_{j in Q} g_j,   g_i = (p_i - y_i) x_i
        Phi_i = - C g_i^T u              eta_i = - C (g_i' - g_i)^T u = - Phi_i / (1 - phi_m)

    with g_i' the gradient at the flipped label and phi_m the probability of the given one. Scale [released]: to first order
    the *summed* validation log-loss changes by -Phi_i / C when sample i is removed, and by eta_i / C when its label is
    flipped. Phi_i > 0: the sample does harm. Raises `SolverError` where H cannot be inverted to `rtol`.
    """
    for part in (train, validation):
        check_labels(part.labels, 2)
    validation_gradient = C * total(validation.x, loss_gradient, validation.labels, validation.logits)  # (d,)
    c = each(train.x, row_curvature, train.logits, shared=(C,))
    remedy = SCALE if solver == "cholesky" or not in_memory(train.x) else f"{SCALE}, or solve by Cholesky (--solver cholesky)"
    solution = inverse_hvp(train.x, c, validation_gradient, solver, rtol, remedy)
    phi, eta = each(train.x, phi_and_eta, train.labels, train.logits, shared=(solution.vector, C))
    return Influence(phi, eta, solution)
