"""Rows whose labels are trusted, in RDIA-LS: they choose gamma and the noise rate, and are in every batch of the training."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from torch import Tensor

from models.settings import Settings

TRUSTED_GAMMAS = (0.2, 0.05, 0.5)  # the first one where nothing speaks for another
RATE_SHARES = (1.0, 0.5, 0.0)  # of the estimated noise rate; likewise
TRUSTED_WEIGHT = 3  # of a trusted row in training beside another one
LEAST_LIKELIHOOD = 1e-12  # of a label
LOG_TEMPERATURES = (-2.0, 3.0)


class Trusted(NamedTuple):
    """Samples whose labels are right, on the device."""

    x: Tensor  # (m, channels, height, width) float32 in [0, 1], or uint8
    labels: Tensor  # (m,)


class TrustedLoss(NamedTuple):
    """How a candidate does on the trusted rows."""

    log_losses: np.ndarray  # (m,) at the temperature that is best for it
    wrong: int  # rows whose prediction is not the label


class TrustedChoice(NamedTuple):
    """Settings, and what the trusted rows say of them."""

    settings: Settings
    loss: TrustedLoss


def trusted_in_batch(n: int, m: int, batch: int) -> int:
    """How many samples of a batch are trusted, if there are m of them beside n others: 1 or more, but at most half of it."""
    return min(batch // 2, max(1, round(batch * TRUSTED_WEIGHT * m / (n + TRUSTED_WEIGHT * m)))) if m else 0


def loss_on_trusted(p: np.ndarray, labels: np.ndarray) -> TrustedLoss:
    """The log-loss of probabilities p (m, K) at their best temperature, and the wrong predictions. labels: (m,).

    -log softmax(log p / T)[label] with the T that makes the mean smallest (Guo et al. 2017): a network that is right more often is
    not passed over because it is too sure, as networks are that are trained on labels of their own.
    """
    log_p = np.log(np.maximum(p, LEAST_LIKELIHOOD))

    def losses(log_temperature: float) -> np.ndarray:
        logits = log_p / math.exp(log_temperature)
        return logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]

    best = minimize_scalar(lambda at: losses(at).mean(), bounds=LOG_TEMPERATURES, method="bounded").x
    return TrustedLoss(losses(best), int((p.argmax(axis=1) != labels).sum()))


def chosen_by_trusted(
    candidates: Sequence[Settings], of: Callable[[Settings], TrustedLoss], first: TrustedChoice | None = None
) -> TrustedChoice:
    """One of the candidates: the first, unless the trusted rows speak for a later one.

    A later one replaces the one chosen so far if its mean log-loss is smaller by more than the standard error of the paired
    differences, and no more rows are wrong. of: trains with the settings. first: chosen so far.
    """
    chosen, rest = (first, candidates) if first else (TrustedChoice(candidates[0], of(candidates[0])), candidates[1:])
    for settings in rest:
        loss = of(settings)
        gains = chosen.loss.log_losses - loss.log_losses
        error = gains.std(ddof=1) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
        if gains.mean() > error and loss.wrong <= chosen.loss.wrong:
            chosen = TrustedChoice(settings, loss)
    return chosen
