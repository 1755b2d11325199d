"""Linear candidates pooled into one linear model by their held-out likelihood, and what the pool says of the given labels.

A log-linear pool of softmax regressions, softmax(sum_m a_m W_m x), is one softmax regression: W = sum_m a_m W_m.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import xlogy

from influence.softmax import softmax, softmax_and_log

# Chosen on held-out rows of real and synthetic noise, on other sets than those of the bench.
TRAINING_WORTH = 20.0  # kappa: trusted rows that all training rows together count as
TO_PRIOR = 1.0  # lambda: weight of the divergence from the prior, in nats of one trusted row
TO_ONE = 20.0  # tau: inverse variance of ln t
LARGEST_LN_T = 5.0  # beyond it a step of the search would overflow
POOL_GRADIENT = 1e-4  # nats, at which the likelihood of a pool is taken as largest
SWEEPS = 3  # of EM over the transition
SHARED_ROWS = 10.0  # rows as which the shared transition enters that of each group
SUGGESTED_FROM = 0.7  # probability, by features alone and with the given label, from which another label is suggested


class Posterior(NamedTuple):
    """What a classifier of the true label and the given labels say together."""

    labels: np.ndarray  # q (n, K): P(true label k | features, given label)
    transition: np.ndarray  # T (G, K, K): P(given label j | true label k, group g)

    def to_given(self, given: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """P(given label | true label k) of rows, (rows, K)."""
        return self.transition[groups, :, given]


def posterior(
    probabilities: np.ndarray,
    given: np.ndarray,
    groups: np.ndarray | None = None,
    known: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> Posterior:
    """q_i(k) ~ p_i(k) T[k, given_i], with T[k, j] ~ sum_i q_i(k) [given_i = j] + [k = j] / 2 + 0.1 / K, by some sweeps of EM.

    probabilities: p (n, K) of the true label by features alone. given: (n,) integers below K. groups: (n,) integers below K, if
    wrong labels depend on more than the true one: each group then has a transition of its own, T_g[k, j] ~ sum_{i in g} q_i(k)
    [given_i = j] + `SHARED_ROWS` T[k, j]. Without them there is one. known: (n,) the true label where a person has set it, else -1:
    such rows teach how labels were given, however they were chosen to be looked at. weights: (n,) of the rows in the sums; None: 1.
    """
    classes = probabilities.shape[1]
    if known is not None:
        probabilities = np.where(known[:, None] < 0, probabilities, np.eye(classes)[known])
    members, labels, every = np.eye(classes)[given], probabilities, np.zeros_like(given)
    if weights is not None:
        members = members * weights[:, None]
    shared = 0.5 * np.eye(classes) + 0.1 / classes
    for _ in range(SWEEPS):
        found = Posterior(labels, _normalised(labels.T @ members + shared)[None])
        labels = _normalised(probabilities * found.to_given(given, every))
    if groups is None:
        return found._replace(labels=labels)
    shared = SHARED_ROWS * found.transition[0]
    for _ in range(SWEEPS):
        counts = [labels[groups == g].T @ members[groups == g] for g in range(classes)]
        found = Posterior(labels, np.array([_normalised(each + shared) for each in counts]))
        labels = _normalised(probabilities * found.to_given(given, groups))
    return found._replace(labels=labels)


def _normalised(rows: np.ndarray) -> np.ndarray:
    return rows / rows.sum(axis=1, keepdims=True)


def suggestions(labels: np.ndarray, probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The suggested label of each row, (n,), or -1: another than the given one, likely by features alone and with it.

    labels: q (n, K): P(true label | features, given label). probabilities: (n, K) of the true label by features alone.
    """
    likely = np.minimum(labels, probabilities)
    best = likely.argmax(axis=1)
    return np.where((likely.max(axis=1) >= SUGGESTED_FROM) & (best != given), best, -1)


def entropy(q: np.ndarray) -> np.ndarray:
    """How uncertain the true label is, in nats, (n,). q: (n, K)."""
    return -xlogy(q, q).sum(axis=1)


class Noisy(NamedTuple):
    """Training rows in the likelihood of a pool: their labels are as given, behind a transition."""

    logits: np.ndarray  # (M, n, K) held out
    to_given: np.ndarray  # (n, K): P(given label | true label k)
    weights: np.ndarray  # s (n,) in the mean


def pool_weights(logits: np.ndarray, labels: np.ndarray, prior: np.ndarray, noisy: Noisy | None = None) -> np.ndarray:
    """a = t b, b on the simplex, (M,), by penalised held-out likelihood:

        min  - sum_j ln p_j[y_j] - kappa sum_i s_i ln (sum_k p_i[k] T_i[k]) / sum_i s_i + lambda KL(b | prior) + tau / 2 (ln t)^2

    with p = softmax(sum_m a_m z_m) and T_i[k] = P(given label of i | true label k). logits: z (M, m, K) of the trusted rows, held
    out. labels: y (m,). prior: (M,), sums to 1.
    """
    log_prior, rows, flat, shape = np.log(prior), np.arange(len(labels)), logits.reshape(len(logits), -1), logits.shape[1:]

    def value_and_slope(v: np.ndarray) -> tuple[float, np.ndarray]:
        b, log_b = softmax_and_log((log_prior + v[:-1])[None])
        b, log_b, t = b[0], log_b[0], float(np.exp(v[-1]))
        z = (t * b @ flat).reshape(shape)
        slope, log_p = softmax_and_log(z)
        slope[rows, labels] -= 1.0
        value, along_b, along_t = -log_p[rows, labels].sum(), t * (flat @ slope.ravel()), np.vdot(slope, z)
        if noisy is not None:
            more = _noisy_likelihood(noisy, b, t)
            value, along_b, along_t = value + more.value, along_b + more.along_b, along_t + more.along_t
        value += TO_PRIOR * (b @ (log_b - log_prior)) + TO_ONE / 2 * v[-1] ** 2
        along_b = along_b + TO_PRIOR * (log_b - log_prior + 1.0)
        return float(value), np.append(b * (along_b - b @ along_b), along_t + TO_ONE * v[-1])

    options, bounds = {"maxiter": 100, "gtol": POOL_GRADIENT}, [(None, None)] * len(prior) + [(-LARGEST_LN_T, LARGEST_LN_T)]
    begin = np.zeros(len(prior) + 1)
    found = minimize(value_and_slope, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return float(np.exp(found[-1])) * softmax((log_prior + found[:-1])[None])[0]


class _Slope(NamedTuple):
    value: float
    along_b: np.ndarray
    along_t: float


def _noisy_likelihood(noisy: Noisy, b: np.ndarray, t: float) -> _Slope:
    """The second term of `pool_weights`, and its derivatives in b and ln t."""
    flat = noisy.logits.reshape(len(noisy.logits), -1)
    z = (t * b @ flat).reshape(noisy.to_given.shape)
    p = softmax(z)
    both = p * noisy.to_given
    total, share = both.sum(axis=1, keepdims=True), TRAINING_WORTH * noisy.weights[:, None] / noisy.weights.sum()
    slope = share * (p - both / total)
    return _Slope(-float(np.vdot(share, np.log(total))), t * (flat @ slope.ravel()), float(np.vdot(slope, z)))
