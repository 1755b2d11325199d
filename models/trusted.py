"""Rows whose labels are trusted, in the training of RDIA-LS: they have a part of every batch."""

from typing import NamedTuple

from torch import Tensor

TRUSTED_WEIGHT = 3  # of a trusted row beside another one


class Trusted(NamedTuple):
    """Samples whose labels are right, on the device."""

    x: Tensor  # (m, channels, height, width) float32 in [0, 1], or uint8
    labels: Tensor  # (m,)


def trusted_in_batch(n: int, m: int, batch: int) -> int:
    """How many samples of a batch are trusted, if there are m of them beside n others: 1 or more, but not all."""
    return min(batch - 1, max(1, round(batch * TRUSTED_WEIGHT * m / (n + TRUSTED_WEIGHT * m)))) if m else 0
