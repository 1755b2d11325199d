"""Linear candidates pooled into one linear model by their held-out likelihood, and what the pool says of the given labels.

A log-linear pool of softmax regressions, softmax(sum_m a_m W_m x), is one softmax regression: W = sum_m a_m W_m.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

# Chosen on held-out rows of real and synthetic noise, on other sets than those of the bench.
TRAINING_WORTH = 20.0  # kappa: trusted rows that all training rows together count as
TO_PRIOR = 1.0  # lambda: weight of the divergence from the prior, in nats of one trusted row
TO_ONE = 20.0  # tau: inverse variance of ln t
SWEEPS = 3  # of EM over the transition
SHARED_ROWS = 10.0  # rows that the transition of all groups counts as, in that of each


class Posterior(NamedTuple):
    """What a classifier of the true label and the given labels say together."""

    labels: np.ndarray  # q (n, K): P(true label k | features, given label)
    transition: np.ndarray  # T (G, K, K): P(given label j | true label k, group g)

    def to_given(self, given: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """P(given label | true label k) of rows, (rows, K)."""
        return self.transition[groups, :, given]


def posterior(probabilities: np.ndarray, given: np.ndarray, groups: np.ndarray | None = None) -> Posterior:
    """q_i(k) ~ p_i(k) T[k, given_i], with T[k, j] ~ sum_i q_i(k) [given_i = j] + [k = j] / 2 + 0.1 / K, by some sweeps of EM.

    probabilities: p (n, K) of the true label by features alone. given: (n,) integers below K. groups: (n,) integers below K, if
    wrong labels depend on more than the true one: each group then has a transition of its own, T_g[k, j] ~ sum_{i in g} q_i(k)
    [given_i = j] + `SHARED_ROWS` T[k, j]. Without them there is one.
    """
    classes = probabilities.shape[1]
    members, labels, every = np.eye(classes)[given], probabilities, np.zeros_like(given)
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


class Noisy(NamedTuple):
    """Training rows in the likelihood of a pool: their labels are as given, behind a transition."""

    logits: np.ndarray  # (M, n, K) held out
    to_given: np.ndarray  # (n, K): P(given label | true label k)


def pool_weights(logits: np.ndarray, labels: np.ndarray, prior: np.ndarray, noisy: Noisy | None = None) -> np.ndarray:
    """a = t b, b on the simplex, (M,), by penalised held-out likelihood:

        min  - sum_j ln p_j[y_j] - kappa mean_i ln sum_k p_i[k] T_i[k] + lambda KL(b | prior) + tau / 2 (ln t)^2

    with p = softmax(sum_m a_m z_m) and T_i[k] = P(given label of i | true label k). logits: z (M, m, K) of the trusted rows, held
    out. labels: y (m,). prior: (M,), sums to 1.
    """
    log_prior, rows = np.log(prior), np.arange(len(labels))

    def value_and_slope(v: np.ndarray) -> tuple[float, np.ndarray]:
        log_b = log_softmax(log_prior + v[:-1])
        b, t = np.exp(log_b), float(np.exp(v[-1]))
        z = t * np.tensordot(b, logits, 1)
        log_p = log_softmax(z, axis=1)
        slope = np.exp(log_p)
        slope[rows, labels] -= 1.0
        value, along_b, along_t = -log_p[rows, labels].sum(), t * np.tensordot(logits, slope, ((1, 2), (0, 1))), (slope * z).sum()
        if noisy is not None:
            more = _noisy_likelihood(noisy, b, t)
            value, along_b, along_t = value + more.value, along_b + more.along_b, along_t + more.along_t
        value += TO_PRIOR * (b * (log_b - log_prior)).sum() + TO_ONE / 2 * v[-1] ** 2
        along_b = along_b + TO_PRIOR * (log_b - log_prior + 1.0)
        return float(value), np.append(b * (along_b - b @ along_b), along_t + TO_ONE * v[-1])

    found = minimize(value_and_slope, np.zeros(len(prior) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 100}).x
    return float(np.exp(found[-1])) * softmax(log_prior + found[:-1])


class _Slope(NamedTuple):
    value: float
    along_b: np.ndarray
    along_t: float


def _noisy_likelihood(noisy: Noisy, b: np.ndarray, t: float) -> _Slope:
    """The second term of `pool_weights`, and its derivatives in b and ln t."""
    z = t * np.tensordot(b, noisy.logits, 1)
    p = softmax(z, axis=1)
    total = (p * noisy.to_given).sum(axis=1, keepdims=True)
    share = TRAINING_WORTH / len(p)
    slope = share * (p - p * noisy.to_given / total)
    along_b = t * np.tensordot(noisy.logits, slope, ((1, 2), (0, 1)))
    return _Slope(-share * float(np.log(total).sum()), along_b, float((slope * z).sum()))
