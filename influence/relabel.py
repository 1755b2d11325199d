"""Which samples are harmful, and the relabeling function R for two classes."""

import numpy as np


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
    return np.where(chosen, 1 - labels, labels)
