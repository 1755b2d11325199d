"""Which samples are harmful, and the relabeling function R for two classes."""

from typing import Any

import numpy as np


def check_labels(labels: Any, classes: int) -> None:
    """Raise `ValueError` unless all labels are 0 to `classes` - 1. labels: (n,); those that lie in blocks are not looked at."""
    if isinstance(labels, np.ndarray) and not np.isin(labels, np.arange(classes)).all():
        shown = ", ".join(map(repr, np.unique(labels)[:5].tolist()))
        raise ValueError(
            f"labels have the values {shown}, expected 0 to {classes - 1}; numpy.unique(y, return_inverse=True)[1] gives them"
        )


def harmful(phi: np.ndarray, alpha: float) -> np.ndarray:
    """D_- = { i : Phi_i > alpha }, (n,) bool; strict, so that alpha = 0 spares samples without influence.

    phi: (n,), in the unit of `logistic_influence`; alpha: in the same unit, 0 or more.
    """
    return phi > alpha


def relabel(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """R(z_i) for the chosen samples, (n,); the others keep their label.

    For two classes R flips the label: its target for the other class k is log_{phi_k}(1 - phi_m) = log_{phi_k} phi_k = 1
    (Kong et al. 2022). labels: (n,) 0 or 1; chosen: (n,) bool. Neither array is changed in place.
    """
    check_labels(labels, 2)
    return np.where(chosen, 1 - labels, labels)
