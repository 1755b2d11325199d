"""Influence in L2-regularised softmax regression, in closed form, for every sample and every label.

The objective, without an intercept, for labels y in {0, ..., K - 1} and weights W, one row a class:

    J(W) = 1/2 |W|^2 + C sum_i l_i,   l_i = -ln phi_{y_i}(x_i),   phi(x) = softmax(W x)

Everything below is a function of the logits Z = X W^T. The gradient of one sample, (p_i - e_{y_i}) x_i^T, is an outer product, so
that one product of X with a K x d matrix serves all samples and all labels.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve

from influence.logistic import (
    CARRIED,
    CHOLESKY_MAX,
    Matrix,
    hessian_diagonal,
    logistic_hessian,
    mean_preconditioner,
    squares,
)
from influence.relabel import check_labels
from influence.rows import AnyRows, RowVector, in_memory
from influence.solvers import RTOL, Product, Solution, conjugate_gradient

# Measured, one thread: making a factor does 1.3 (dense X) to 7 (CSR) times the operations a second of products of X with K columns;
# and a solve to 1e-8 without one takes 0.5 (text) to 3 (pixels) times the root of the trace of H - I, but seldom more than 500.
FACTOR_SPEED = 2
ITERATIONS, ITERATIONS_AT_MOST = 2, 500
LEAST_SHARE = 1e-9  # of the classes' matrix, whose eigenvalues have the mean (K - 1) / K: below it they are 0
ROUNDING = float(np.finfo(float).eps)


class LabelInfluence(NamedTuple):
    """What each training sample, and each label it could have, does to the validation loss (`softmax_influence`)."""

    phi: np.ndarray  # (n,)
    eta: np.ndarray  # (n,) of relabeling by R
    eta_labels: np.ndarray  # (n, K) of changing the label to k; 0 where k is the given one
    solution: Solution  # H^-1 C grad l_Q, (K d,)


class SoftmaxFit(NamedTuple):
    """Rows with their given labels and the logits that the fitted model gives them."""

    x: Matrix  # (n, d)
    labels: np.ndarray  # (n,) integers below K
    logits: np.ndarray  # (n, K)


def softmax(logits: np.ndarray) -> np.ndarray:
    """p_ik = exp z_ik / sum_j exp z_ij, (n, K)."""
    exponents = np.exp(logits - _largest(logits)[:, None])
    return exponents / _total(exponents)[:, None]


def logsumexp(logits: np.ndarray) -> np.ndarray:
    """ln sum_k exp z_ik, (n,)."""
    largest = _largest(logits)
    return largest + np.log(_total(np.exp(logits - largest[:, None])))


def softmax_and_log(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p and ln p, (n, K) each."""
    shifted = logits - _largest(logits)[:, None]
    exponents = np.exp(shifted)
    total = _total(exponents)[:, None]
    return exponents / total, shifted - np.log(total)


def _largest(logits: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(logits.T).max(axis=0, initial=-np.inf)  # along a short last axis numpy takes three times as long


def _total(exponents: np.ndarray) -> np.ndarray:
    return exponents @ np.ones(exponents.shape[1])  # and for a sum six times


def label_slope(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """d l_i / d z_i = p_i - e_{y_i}, (n, K); the given label's entry is minus the sum of the others, which loses no digits."""
    slope = softmax(logits)
    rows = np.arange(len(labels))
    slope[rows, labels] = 0.0
    slope[rows, labels] = -slope.sum(axis=1)
    return slope


def softmax_hvp(x: Matrix, probabilities: np.ndarray, C: float, relabeled: np.ndarray | None = None) -> Product:
    """v -> H v: V + C A^T X with A = P * (Z - sum_k P Z), Z = X V^T, by two products with X; of (K, d) or flat, (K d,).

    x: (n, d), probabilities: P (n, K), relabeled: q of `relabeled_probabilities` for the samples that R has relabeled and 0 for the
    others, (n, K), whose curvature R takes off; None if there are none.
    """
    classes = probabilities.shape[1]

    def product(vector: np.ndarray) -> np.ndarray:
        matrix = vector.reshape(classes, -1)
        return (matrix + C * softmax_curved(x, probabilities, matrix, relabeled)).reshape(vector.shape)

    return product


def softmax_curved(x: Matrix, probabilities: np.ndarray, matrix: np.ndarray, relabeled: np.ndarray | None = None) -> np.ndarray:
    """A^T X of `softmax_hvp`, (K, d), over the rows of a block. matrix: V (K, d)."""
    along = x @ matrix.T  # (n, K)
    change = centred(probabilities, along)
    if relabeled is not None:
        change -= centred(relabeled, along)
    return transposed(x, change)


def by_columns(product: Product, classes: int) -> Product:
    """A product of (K, d) matrices as one of (d K,) vectors, column after column: as CSR's products read and write them."""
    return lambda vector: product(vector.reshape(-1, classes).T).T.ravel()


def centred(probabilities: np.ndarray, along: np.ndarray) -> np.ndarray:
    """(diag(p_i) - p_i p_i^T) z_i, (n, K)."""
    return probabilities * (along - np.einsum("nk,nk->n", probabilities, along)[:, None])


def transposed(x: Matrix, weights: np.ndarray) -> np.ndarray:
    """weights^T X, (K, d), dense, column after column. x: (n, d), weights: (n, K)."""
    return (x.T @ weights).T


def softmax_influence(train: SoftmaxFit, validation: SoftmaxFit, C: float, rtol: float = RTOL) -> LabelInfluence:
    """Influence of every training sample and of every label on the validation loss, from one solve (Kong et al. 2022).

        S = H^-1 C sum_{j in Q} (p_j - e_{y_j}) x_j^T                     (K, d)
        Phi_i = - C sum_k (p_i - e_{y_i})_k (S x_i)_k
        eta_i(k) = C ((S x_i)_k - (S x_i)_{y_i}),  eta_i = - Phi_i / (1 - phi_m)

    Scale as in `logistic_influence`: to first order the *summed* validation log-loss changes by -Phi_i / C when sample i is
    removed, by eta_i(k) / C when its label becomes k, and by eta_i / C when R relabels it. Raises `SolverError` where H cannot be
    inverted to `rtol`.
    """
    for part in (train, validation):
        check_labels(part.labels, part.logits.shape[1])
    target = C * transposed(validation.x, label_slope(validation.logits, validation.labels))  # (K, d)
    probabilities = softmax(train.logits)
    classes = len(target)
    product = by_columns(softmax_hvp(train.x, probabilities, C), classes)
    precondition = by_columns(softmax_preconditioner(train.x, probabilities, C).solve, classes)
    solution = conjugate_gradient(product, target.T.ravel(), precondition, rtol)
    vectors = solution.vector.reshape(-1, classes)  # (d, K) S^T
    along = C * (train.x @ vectors)  # (n, K) C S x_i
    return along_labels(along, train.logits, train.labels, solution._replace(vector=vectors.T.ravel()))


def along_labels(along: np.ndarray, logits: np.ndarray, labels: np.ndarray, solution: Solution) -> LabelInfluence:
    """Phi and eta from what the solution does to the logits: `along` is their derivative in its direction, (n, K).

    The loss's gradient at label k is J^T (p - e_k), J the derivative of the logits in the parameters: for any model.
    """
    rows = np.arange(len(labels))
    phi = -(label_slope(logits, labels) * along).sum(axis=1)
    eta_labels = along - along[rows, labels][:, None]
    eta = (relabeled_probabilities(logits, labels) * eta_labels).sum(axis=1)
    return LabelInfluence(phi, eta, eta_labels, solution)


def relabeled_probabilities(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """q_i = softmax over the classes but the given one, 0 there, (n, K).

    R's loss -ln(1 - phi_m) has the slope p - q in the logits, as the cross-entropy of a sample whose label is drawn from q: to
    first order R does what changing the label to each other class does, averaged by q. logits: (n, K), labels: (n,).
    """
    others = logits.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return softmax(others)


class Preconditioner(NamedTuple):
    """A positive definite P near H."""

    solve: Product  # R -> P^-1 R, (K, d)
    worth: float  # iterations of conjugate gradients that take as long as it took to make


def softmax_preconditioner(x: Matrix, probabilities: np.ndarray, C: float) -> Preconditioner:
    """P = I + M (x) G, H with the classes' and the features' part taken apart (Martens and Grosse 2015).

    M = (K - 1) sum_i B_i / sum_i w_i, with B_i = diag(p_i) - p_i p_i^T and w_i its trace, and G = sum_i c_i x_i x_i^T with
    c_i = C w_i / (K - 1). Where a factor of G takes longer than the iterations that it saves, I is taken for M, and for I + G what
    `mean_preconditioner` has. x: (n, d), probabilities: (n, K).
    """
    (n, d), classes = x.shape, probabilities.shape[1]
    c = shared_curvature(probabilities, C)
    worth = factor_worth(n, d, x.size, classes)
    small = in_memory(x) and min(n, d) <= CHOLESKY_MAX
    if small and worth < min(ITERATIONS_AT_MOST, ITERATIONS * np.sqrt(c @ _squared_norms(x))):  # the root of G's trace
        return Preconditioner(_factored(x, c, probabilities), worth)
    return same_for_all(x, c)


def shared_curvature(probabilities: np.ndarray, C: float) -> np.ndarray:
    """c_i = C (1 - |p_i|^2) / (K - 1), (n,): of two classes the curvature of logistic regression with that C."""
    return C / max(1, probabilities.shape[1] - 1) * (1.0 - (probabilities**2).sum(axis=1))


def same_for_all(x: AnyRows, c: RowVector) -> Preconditioner:
    """`mean_preconditioner` for each class."""
    solve = mean_preconditioner(x, c, hessian_diagonal(x, c))
    return Preconditioner(lambda residual: solve(residual.T).T, 0.0)


def _squared_norms(x: Matrix) -> np.ndarray:
    """|x_i|^2, (n,); of a dense X without a copy."""
    return squares(x).sum(axis=1) if sp.issparse(x) else np.einsum("nd,nd->n", x, x)


def factor_worth(n: int, d: int, stored: int, classes: int) -> float:
    """The iterations of conjugate gradients that take as long as a factor of the smaller of X^T X and X X^T.

    An iteration: 4 operations a class and stored value, of CSR those that are not 0. X X^T is a product of X as it is stored.
    """
    side = min(n, d)
    summed = stored if n < d else n * d
    return (summed * side + side**3 / 3) / (FACTOR_SPEED * 4 * classes * max(1, stored))


def _factored(x: Matrix, c: np.ndarray, probabilities: np.ndarray) -> Product:
    """R -> P^-1 R along M's eigenvectors, where P falls apart into I + m_k G; one factor serves all m_k that are nearly equal."""
    classes = probabilities.shape[1]
    between = np.diag(probabilities.sum(axis=0)) - probabilities.T @ probabilities
    shares, vectors = np.linalg.eigh((classes - 1) * between / np.trace(between))  # m (K,), (K, K)
    levels = np.where(shares > LEAST_SHARE, np.exp2(np.round(np.log2(np.maximum(shares, LEAST_SHARE)))), 0.0)
    gram = _gram(x, c)
    inverses = {level: _inverse(gram, level) for level in np.unique(levels) if level}

    def solve(residual: np.ndarray) -> np.ndarray:
        apart = vectors.T @ residual
        for level, inverse in inverses.items():
            apart[levels == level] = inverse(apart[levels == level])
        return vectors @ apart

    return solve


class Gram(NamedTuple):
    """G = A^T A, or A A^T if that is smaller, A the rows sqrt(c_i) x_i."""

    matrix: np.ndarray
    rows: Matrix | None  # A, (n, d), where the matrix is A A^T


def _gram(x: Matrix, c: np.ndarray) -> Gram:
    """(n, n), or (d, d), this one over the samples that carry 95% of the weight."""
    n, d = x.shape
    if n < d:
        root = np.sqrt(c)[:, None]
        rows = sp.csr_array(x.multiply(root)) if sp.issparse(x) else x * root
        matrix = rows @ rows.T
        return Gram(matrix.toarray() if sp.issparse(matrix) else matrix, rows)
    order = np.argsort(-c)
    total = np.cumsum(c[order])
    carriers = np.sort(order[: int(np.searchsorted(total, CARRIED * total[-1])) + 1])
    matrix = logistic_hessian(x, c * total[-1] / c[carriers].sum(), carriers)
    matrix.flat[:: d + 1] -= 1.0
    return Gram(matrix, None)


def _inverse(gram: Gram, level: float) -> Product:
    """R -> R (I + level G)^-1, (k, d) to (k, d), by Woodbury's formula where A A^T is what there is."""
    matrix = level * gram.matrix
    side = len(matrix)
    matrix.flat[:: side + 1] += 1.0 + side * ROUNDING * np.trace(matrix)  # or rounding could make a pivot negative
    factor = cho_factor(matrix, overwrite_a=True)
    if gram.rows is None:
        return lambda apart: cho_solve(factor, apart.T).T
    return lambda apart: apart - level * transposed(gram.rows, cho_solve(factor, gram.rows @ apart.T))
