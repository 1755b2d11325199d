"""Label noise."""

from typing import Literal, NamedTuple

import numpy as np

NoiseType = Literal["symmetric", "pairflip", "none"]
NOISE_TYPES: tuple[NoiseType, ...] = ("symmetric", "pairflip", "none")


class NoisyLabels(NamedTuple):
    """Labels after noise, and which of them were changed."""

    labels: np.ndarray  # (n,)
    flipped: np.ndarray  # (n,) bool, True where the label was changed


def flip_share(labels: np.ndarray, noise: float, generator: np.random.Generator, classes: int = 2) -> NoisyLabels:
    """Change exactly `int(noise * n)` labels: RDIA's noise [released]. noise: in [0, 1), the rest as in `flip_count`."""
    return flip_count(labels, int(noise * len(labels)), generator, classes)


def flip_count(labels: np.ndarray, count: int, generator: np.random.Generator, classes: int = 2) -> NoisyLabels:
    """Change `count` labels, drawn without replacement, to one of the other classes, each as likely.

    labels: (n,) integers below `classes`, not changed in place.
    """
    chosen = generator.choice(len(labels), size=count, replace=False)
    changed, flipped = labels.copy(), np.zeros(len(labels), dtype=bool)
    flipped[chosen] = True
    steps = generator.integers(1, classes, size=count) if classes > 2 else 1
    changed[chosen] = (labels[chosen] + steps) % classes
    return NoisyLabels(changed, flipped)


def redraw_labels(
    labels: np.ndarray, classes: int, rate: float, noise_type: NoiseType, generator: np.random.Generator
) -> NoisyLabels:
    """Change each label on its own with probability `rate`: RDIA-LS's noise [released].

    "symmetric": to one of the other K - 1 classes, each as likely; "pairflip": class k to k + 1 (mod K); "none": not at all.
    labels: (n,) integers below `classes`, not changed in place.
    """
    chosen = generator.random(len(labels)) < (0.0 if noise_type == "none" else rate)
    steps = generator.integers(1, classes, size=len(labels)) if noise_type == "symmetric" else np.ones(len(labels), dtype=np.int64)
    return NoisyLabels(np.where(chosen, (labels + steps) % classes, labels), chosen)
