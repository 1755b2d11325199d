"""A promise about suspects: p-values of being right, a list with a bounded share of right ones, and how many labels are wrong."""

import math
from typing import NamedTuple

import numpy as np

QUANTILE = 1.645  # of the normal distribution: 90% of it is within so many standard deviations


def p_values(scores: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Conformal p-value of each training label being right, (n,): (1 + #{j: s_j >= s_i}) / (1 + m) (Vovk et al. 2005).

    scores: s (n,), larger: more surely wrong. trusted: (m,) the same score of trusted rows, each computed without itself, as the
    training rows' are. If the right training rows are exchangeable with the trusted ones, P(p_i <= u) <= u for a right label.
    """
    order = np.sort(trusted)
    at_least = len(order) - np.searchsorted(order, scores, side="left")
    return (1.0 + at_least) / (1.0 + len(order))


def benjamini_hochberg(p: np.ndarray, q: float) -> np.ndarray:
    """The labels that are listed, (n,) bool: in expectation at most a share q of them is right (Benjamini and Hochberg 1995).

    It holds for conformal p-values, which share their calibration set (Bates et al. 2023). p: (n,), q: level in (0, 1).
    """
    order = np.argsort(p, kind="stable")
    below = np.flatnonzero(p[order] <= q * np.arange(1, len(p) + 1) / len(p))
    listed = np.zeros(len(p), dtype=bool)
    if len(below):
        listed[order[: below[-1] + 1]] = True
    return listed


class Estimate(NamedTuple):
    """How many labels are wrong, or their share, with an interval that is meant to cover 90%; nan where there is none."""

    estimate: float
    low: float
    high: float


def row_noise(p: np.ndarray, given: np.ndarray, by_given: np.ndarray, steps: int = 50) -> np.ndarray:
    """Probability that each given label is wrong, (n,), if noise may depend on the row as well as on its class.

    q_i(k) ~ p_i(k) ((1 - beta) T[k, given_i] + beta e_i), T and beta by EM. p: (n, K) of the true label by features alone.
    by_given: e (n,), held-out probability of the given label by a model of the given labels.
    """
    classes, rows = p.shape[1], np.arange(len(given))
    members, labels, beta = np.eye(classes)[given], p, 0.2
    for _ in range(steps):
        counts = labels.T @ members + 0.5 * np.eye(classes) + 0.1 / classes
        by_class = (1.0 - beta) * p * (counts / counts.sum(axis=1, keepdims=True))[:, given].T
        by_row = beta * p * by_given[:, None]
        total = (by_class + by_row).sum(axis=1, keepdims=True)
        labels, beta = by_class / total, float(np.clip((by_row / total).sum() / len(given), 1e-3, 0.999))
    return 1.0 - (labels + by_row / total)[rows, given]


def within_drawn(rate: Estimate, wrong: int, count: int) -> Estimate:
    """The share of wrong labels, if it agrees with rows that were drawn at random, of which a person found so many wrong.

    Else it is their share. It agrees within the 90% interval of that (Wilson 1927), which is the interval unless the rate's own is
    within it.
    """
    seen, spread = wrong / count, QUANTILE**2 / count
    middle, half = seen + spread / 2, math.sqrt(spread * seen * (1 - seen) + spread**2 / 4)
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    if low <= rate.low and rate.high <= high:
        return rate
    return Estimate(rate.estimate if low <= rate.estimate <= high else seen, low, high)


def count_wrong(p: np.ndarray, labels: np.ndarray, given: np.ndarray, by_given: np.ndarray, held_out: np.ndarray) -> Estimate:
    """How many given labels are wrong, with an interval that is meant to cover 90%: in the bench 83% to 100%, by kind of noise.

    p: (n, K) of the true label by features alone. labels: q (n, K), with the given label. by_given: as in `row_noise`. held_out:
    (m,) held-out probabilities of the trusted rows' labels. Three readings: Q, noise that depends on the class; B, `row_noise`; D,
    noise that is a function of the row. The estimate is the mean of Q and B; the interval goes from the least of Q and B to the
    most of all, each widened by the standard error that the trusted rows leave.
    """
    rows, n = np.arange(len(given)), len(given)
    by_class, by_features = 1.0 - labels[rows, given].mean(), 1.0 - p[rows, given].mean()
    by_row = float(row_noise(p, given, by_given).mean())
    error = 1.0 - float(held_out.mean())
    margin = QUANTILE * float(np.sqrt(error * (1.0 - error) / len(held_out)))
    low, high = min(by_class, by_row) - margin, max(by_features, by_class, by_row) + margin
    return Estimate(n * (by_class + by_row) / 2, n * max(0.0, low), n * min(1.0, high))
