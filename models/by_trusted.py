"""Gamma and the noise rate of RDIA-LS, chosen by rows whose labels are trusted."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from models.settings import Settings

TRUSTED_GAMMAS = (0.2, 0.05, 0.5)  # the first one where nothing speaks for another
RATE_SHARES = (1.0, 0.5, 0.0)  # of the estimated noise rate; likewise


class Trusted(NamedTuple):
    """Samples whose labels are right, on the device."""

    x: Tensor  # (m, channels, height, width)
    labels: Tensor  # (m,)


class TrustedChoice(NamedTuple):
    """Settings, and what the trusted rows say of them."""

    settings: Settings
    log_losses: np.ndarray  # (m,)


def chosen_by_trusted(
    candidates: Sequence[Settings], of: Callable[[Settings], np.ndarray], first: TrustedChoice | None = None
) -> TrustedChoice:
    """The candidate with the smallest mean log-loss on the trusted rows.

    A later one replaces the one chosen so far if its mean is smaller by more than the standard error of the paired differences.
    of: trains with the settings and returns the log-loss of each trusted row, (m,). first: chosen so far.
    """
    chosen, rest = (first, candidates) if first else (TrustedChoice(candidates[0], of(candidates[0])), candidates[1:])
    for settings in rest:
        log_losses = of(settings)
        gains = chosen.log_losses - log_losses
        if gains.mean() > (gains.std(ddof=1) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0):
            chosen = TrustedChoice(settings, log_losses)
    return chosen


def with_rate(settings: Settings, rate: float) -> Settings:
    """The settings with the shares of a batch that go with a noise rate."""
    return settings._replace(forget_rate=rate, discard_rate=rate / 2)
