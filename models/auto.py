"""Labels examined and a model fitted with nothing to choose: with trusted rows by `models.repair`, without by `models.examine`."""

import warnings
from typing import NamedTuple

import numpy as np

from data.telling import Progress, silent
from models.examine import Examined, examine
from models.promise import Estimate
from models.repair import LEAST_TRUSTED, RepairData, Repaired, can_judge, repair

LIKELY = 0.5  # probability from which the likeliest label takes the place of the given one


class Learned(NamedTuple):
    """The model, and what is known of the training labels."""

    weights: np.ndarray  # (K, d)
    soft_labels: np.ndarray  # q (n, K)
    labels: np.ndarray  # (n,) the likeliest of q where it is likely, else as given
    p_wrong: np.ndarray  # (n,)
    influence: np.ndarray  # Phi (n,); nan without trusted rows
    suspects: np.ndarray  # rows, most surely wrong first
    wrong_labels: Estimate


def repaired_or_examined(data: RepairData, rng: np.random.Generator, progress: Progress = silent) -> Repaired | Examined:
    """Repair with the trusted rows if they can judge the others, else examine with those there are."""
    return (repair if can_judge(data.trusted) else examine)(data, rng, progress)


def learned(data: RepairData, level: float, rng: np.random.Generator) -> Learned:
    """Both, with the suspects at the level. Warns of trusted rows that cannot judge."""
    m = len(data.trusted)
    if m and not can_judge(data.trusted):
        what = "are of one class" if m >= LEAST_TRUSTED else f"are fewer than {LEAST_TRUSTED}"
        warnings.warn(f"the {m} trusted rows {what}: they are fitted, and nothing is judged by them", stacklevel=3)
    found = repaired_or_examined(data, rng)
    phi = np.full(len(data.given), np.nan) if isinstance(found, Examined) else found.phi
    labels, suspects = likely(found.labels, data.given), most_first(found.p_wrong, found.suspects(level))
    return Learned(found.weights, found.labels, labels, found.p_wrong, phi, suspects, found.wrong_labels(data))


def likely(soft_labels: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The likeliest label of each row where its probability is `LIKELY` or more, else the given one, (n,)."""
    return np.where(soft_labels.max(axis=1) >= LIKELY, soft_labels.argmax(axis=1), given)


def most_first(p_wrong: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """The listed rows, most surely wrong first. p_wrong: (n,), listed: (n,) bool."""
    rows = np.flatnonzero(listed)
    return rows[np.argsort(-p_wrong[rows], kind="stable")]
