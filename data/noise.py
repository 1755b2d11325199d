"""Label noise."""

from typing import NamedTuple

import numpy as np


class NoisyLabels(NamedTuple):
    """Labels after noise, and which of them were changed."""

    labels: np.ndarray  # (n,) 0 or 1
    flipped: np.ndarray  # (n,) bool, True where the label was changed


def flip_share(labels: np.ndarray, noise: float, generator: np.random.Generator) -> NoisyLabels:
    """Flip exactly `int(noise * n)` two-class labels: RDIA's noise [released]. labels: (n,) 0 or 1; noise: in [0, 1)."""
    return flip_count(labels, int(noise * len(labels)), generator)


def flip_count(labels: np.ndarray, count: int, generator: np.random.Generator) -> NoisyLabels:
    """Flip `count` two-class labels, drawn without replacement. labels: (n,) 0 or 1, not changed in place."""
    flipped = np.zeros(len(labels), dtype=bool)
    flipped[generator.choice(len(labels), size=count, replace=False)] = True
    return NoisyLabels(np.where(flipped, 1 - labels, labels), flipped)
