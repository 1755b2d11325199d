"""Influence in L2-regularised softmax regression, in closed form, for every sample and every label.

The objective, without an intercept, for labels y in {0, ..., K - 1} and weights W, one row a class:

    J(W) = 1/2 |W|^2 + C sum_i l_i,   l_i = -ln phi_{y_i}(x_i),   phi(x) = softmax(W x)

Everything below is a function of the logits Z = X W^T. The gradient of one sample, (p_i - e_{y_i}) x_i^T, is an outer product, so
that one product of X with a K x d matrix serves all samples and all labels.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_triangular
from scipy.special import softmax

from influence.logistic import CARRIED, Matrix, logistic_hessian, squared_columns
from influence.solvers import RTOL, Product, Solution, conjugate_gradient

LARGEST_FACTORS = 10**8  # numbers in the factors of the preconditioner: 0.8 GB


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


def label_slope(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """d l_i / d z_i = p_i - e_{y_i}, (n, K); the given label's entry is minus the sum of the others, which loses no digits."""
    slope = softmax(logits, axis=1)
    rows = np.arange(len(labels))
    slope[rows, labels] = 0.0
    slope[rows, labels] = -slope.sum(axis=1)
    return slope


def softmax_hvp(x: Matrix, probabilities: np.ndarray, C: float, relabeled: np.ndarray | None = None) -> Product:
    """v -> H v, (K d,) to (K d,): V + C A^T X with A = P * (Z - sum_k P Z), Z = X V^T, by two products with X.

    x: (n, d), probabilities: P (n, K), relabeled: q of `relabeled_probabilities` for the samples that R has relabeled and 0 for the
    others, (n, K), whose curvature R takes off; None if there are none.
    """
    classes = probabilities.shape[1]

    def product(vector: np.ndarray) -> np.ndarray:
        along = x @ vector.reshape(classes, -1).T  # (n, K)
        change = _centred(probabilities, along)
        if relabeled is not None:
            change -= _centred(relabeled, along)
        return vector + C * transposed(x, change).ravel()

    return product


def _centred(probabilities: np.ndarray, along: np.ndarray) -> np.ndarray:
    """(diag(p_i) - p_i p_i^T) z_i, (n, K)."""
    return probabilities * (along - (probabilities * along).sum(axis=1, keepdims=True))


def transposed(x: Matrix, weights: np.ndarray) -> np.ndarray:
    """weights^T X, (K, d), dense. x: (n, d), weights: (n, K)."""
    return (x.T @ weights).T if sp.issparse(x) else weights.T @ x


def softmax_influence(train: SoftmaxFit, validation: SoftmaxFit, C: float, rtol: float = RTOL) -> LabelInfluence:
    """Influence of every training sample and of every label on the validation loss, from one solve (Kong et al. 2022).

        S = H^-1 C sum_{j in Q} (p_j - e_{y_j}) x_j^T                     (K, d)
        Phi_i = - C sum_k (p_i - e_{y_i})_k (S x_i)_k
        eta_i(k) = C ((S x_i)_k - (S x_i)_{y_i}),  eta_i = - Phi_i / (1 - phi_m)

    Scale as in `logistic_influence`: to first order the *summed* validation log-loss changes by -Phi_i / C when sample i is
    removed, by eta_i(k) / C when its label becomes k, and by eta_i / C when R relabels it. Raises `SolverError` where H cannot be
    inverted to `rtol`.
    """
    target = C * transposed(validation.x, label_slope(validation.logits, validation.labels))  # (K, d)
    probabilities = softmax(train.logits, axis=1)
    precondition = softmax_preconditioner(train.x, probabilities, C).solve
    solution = conjugate_gradient(softmax_hvp(train.x, probabilities, C), target.ravel(), precondition, rtol)
    along = C * (train.x @ solution.vector.reshape(target.shape).T)  # (n, K) C S x_i
    return along_labels(along, train.logits, train.labels, solution)


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
    return softmax(others, axis=1)


class Preconditioner(NamedTuple):
    """A positive definite P near H, as P = L L^T."""

    back: Product  # r -> L^-1 r
    to: Product  # v -> L^-T v: what is easy to minimise over v is hard over w = L^-T v

    def solve(self, residual: np.ndarray) -> np.ndarray:
        """r -> P^-1 r."""
        return self.to(self.back(residual))


def softmax_preconditioner(x: Matrix, probabilities: np.ndarray, C: float) -> Preconditioner:
    """P = I + M (x) G, H with the classes' and the features' part taken apart (Martens and Grosse 2015).

    M = sum_i B_i / sum_i w_i, with B_i = diag(p_i) - p_i p_i^T and w_i its trace, and G = C sum_i w_i x_i x_i^T over the samples
    that carry 95% of the weight: along M's eigenvectors P falls apart into I + m_k G. Where K factors of G's size are too large
    for the memory it is H's diagonal instead. x: (n, d), probabilities: (n, K).
    """
    classes = probabilities.shape[1]
    if classes * x.shape[1] ** 2 > LARGEST_FACTORS:
        diagonal = 1.0 + C * squared_columns(x, probabilities * (1.0 - probabilities)).T.ravel()
        root = np.sqrt(diagonal)
        return Preconditioner(lambda residual: residual / root, lambda vector: vector / root)
    weights = 1.0 - (probabilities**2).sum(axis=1)  # (n,)
    order = np.argsort(-weights)
    total = np.cumsum(weights[order])
    rows = np.sort(order[: int(np.searchsorted(total, CARRIED * total[-1])) + 1])
    identity = np.eye(x.shape[1])
    features = logistic_hessian(x, C * total[-1] / weights[rows].sum() * weights, rows) - identity  # G
    between = np.diag(probabilities.sum(axis=0)) - probabilities.T @ probabilities
    shares, vectors = np.linalg.eigh(between / total[-1])  # m (K,), (K, K)
    factors = [np.linalg.cholesky(identity + max(share, 0.0) * features) for share in shares]

    def back(residual: np.ndarray) -> np.ndarray:
        apart = vectors.T @ residual.reshape(classes, -1)
        rows = [solve_triangular(factor, row, lower=True, check_finite=False) for factor, row in zip(factors, apart, strict=True)]
        return np.concatenate(rows)

    def to(vector: np.ndarray) -> np.ndarray:
        pairs = zip(factors, vector.reshape(classes, -1), strict=True)
        rows = [solve_triangular(factor, row, trans="T", lower=True, check_finite=False) for factor, row in pairs]
        return (vectors @ np.array(rows)).ravel()

    return Preconditioner(back, to)
