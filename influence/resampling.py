"""The ways to resample the training set that RDIA is compared with: uniform, by influence (UIDS), and by gradient (OptLR)."""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.special import expit

from influence.logistic import CHOLESKY_MAX, Fit, Matrix, curvature, inverse_hvp, logistic_hessian, loss_slope

KEPT_SHARE = 0.95  # share of the samples that is kept [released]
SIGMOID_SLOPE = 10.0  # of UIDS, over the range of Phi [released]
ROW_BLOCK = 4_096  # rows that are solved for at a time
PROBES = 32  # random vectors for estimating norms: relative standard deviation of a squared norm sqrt(2 / 32) = 25%


def subsample(n: int, generator: np.random.Generator) -> np.ndarray:
    """A mask of `int(0.95 n)` samples drawn without replacement, (n,) bool [released]."""
    kept = np.zeros(n, dtype=bool)
    kept[generator.choice(n, int(KEPT_SHARE * n), replace=False)] = True
    return kept


def uids_sigmoid(phi: np.ndarray) -> np.ndarray:
    """Probability of keeping each sample, (n,): 1 / (1 + exp(10 Phi / (max Phi - min Phi))) (Wang et al. 2020). phi: (n,)."""
    return expit(-SIGMOID_SLOPE * _over_range(phi))


def uids_linear(phi: np.ndarray) -> np.ndarray:
    """Probability of keeping each sample, (n,): clip(-a Phi, 0, 1) (Wang et al. 2020), a = 10 / (max Phi - min Phi). phi: (n,)."""
    return np.clip(-SIGMOID_SLOPE * _over_range(phi), 0.0, 1.0)


def _over_range(phi: np.ndarray) -> np.ndarray:
    spread = float(np.ptp(phi))
    return phi / spread if spread else np.zeros_like(phi)


def keep_by_class(probabilities: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw each sample again and again with its probability until 95% of each class are kept, (n,) bool [released].

    The 95% are of those samples of a class whose probability is above 0: the others are never kept. The number of draws until a
    sample is kept is geometric: one such number each is drawn, and the samples with the smallest are kept. probabilities,
    labels: (n,).
    """
    waits = generator.geometric(np.maximum(probabilities, np.finfo(float).tiny)) + generator.random(len(labels))
    kept = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        places = np.flatnonzero((labels == label) & (probabilities > 0))
        order = places[np.argsort(waits[places])]
        kept[order[: int(KEPT_SHARE * len(order))]] = True
    return kept


class WeightedSample(NamedTuple):
    """Some of the samples, and weights that make their loss an unbiased estimate of that of all."""

    kept: np.ndarray  # (n,) bool
    weights: np.ndarray  # (kept,) 1 / probability of having been kept


def optlr_sample(scores: np.ndarray, generator: np.random.Generator) -> WeightedSample:
    """Keep each sample on its own with probability min(1, c s_i), c so that 95% are expected (Ting and Brochu 2018).

    scores: s_i (n,), such as `gradient_norms`. A sample with s_i = 0 has no gradient, and is not kept.
    """
    probabilities = inclusion_probabilities(scores, KEPT_SHARE * len(scores))
    kept = generator.random(len(scores)) < probabilities
    return WeightedSample(kept, 1.0 / probabilities[kept])


def inclusion_probabilities(scores: np.ndarray, expected: float) -> np.ndarray:
    """min(1, c s_i), (n,), with the c for which they sum to `expected`; 1 for each s_i > 0 where that is not enough."""
    order = np.sort(scores)[::-1]
    rest = np.cumsum(order[::-1])[::-1]  # rest[k]: sum of all but the k largest
    left = expected - np.arange(len(order))  # left[k]: expected of them
    fits = np.flatnonzero((left * order <= rest) & (rest > 0))
    return np.minimum(1.0, left[fits[0]] / rest[fits[0]] * scores) if len(fits) else (scores > 0).astype(float)


def gradient_norms(train: Fit, C: float, generator: np.random.Generator) -> np.ndarray:
    """s_i = |H^-1 g_i| = |p_i - y_i| |H^-1 x_i|, (n,): how far sample i moves the fit (Ting and Brochu 2018).

    From a Cholesky factor of H, with dense rows one block at a time. With more than 10,000 features it is estimated from 32
    solves: the mean of (v^T H^-1 x_i)^2 over normal vectors v is |H^-1 x_i|^2.
    """
    c = curvature(train.logits, C)
    norms = _solved_norms(train.x, c) if train.x.shape[1] <= CHOLESKY_MAX else _estimated_norms(train.x, c, generator)
    return np.abs(loss_slope(train.logits, train.labels)) * norms


def _solved_norms(x: Matrix, c: np.ndarray) -> np.ndarray:
    factor = scipy.linalg.cho_factor(logistic_hessian(x, c), overwrite_a=True)
    norms = np.empty(x.shape[0])
    for start in range(0, len(norms), ROW_BLOCK):
        block = x[start : start + ROW_BLOCK]
        rows = block if isinstance(block, np.ndarray) else block.toarray()
        norms[start : start + ROW_BLOCK] = np.linalg.norm(scipy.linalg.cho_solve(factor, rows.T, check_finite=False), axis=0)
    return norms


def _estimated_norms(x: Matrix, c: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    squares = np.zeros(x.shape[0])
    for _ in range(PROBES):
        squares += (x @ inverse_hvp(x, c, generator.standard_normal(x.shape[1]), rtol=1e-4).vector) ** 2
    return np.sqrt(squares / PROBES)
