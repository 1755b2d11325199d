"""Labels examined and a model fitted with nothing to choose: with trusted rows by `models.repair`, without by `models.examine`."""

import warnings
from typing import NamedTuple

import numpy as np

from models.examine import examine
from models.promise import WrongLabels, count_wrong
from models.repair import LEAST_TRUSTED, RepairData, can_judge, repair

LIKELY = 0.5  # probability from which the likeliest label takes the place of the given one


class Learned(NamedTuple):
    """The model, and what is known of the training labels."""

    weights: np.ndarray  # (K, d)
    soft_labels: np.ndarray  # q (n, K)
    labels: np.ndarray  # (n,) the likeliest of q where it is likely, else as given
    p_wrong: np.ndarray  # (n,)
    influence: np.ndarray  # Phi (n,); nan without trusted rows
    suspects: np.ndarray  # rows, most surely wrong first
    wrong_labels: WrongLabels


def examined_or_repaired(data: RepairData, level: float, rng: np.random.Generator) -> Learned:
    """Repair with the trusted rows if there are enough of them to be cut into folds, else examine with those there are.

    level: of the list of suspects. Warns of too few trusted rows.
    """
    m = len(data.trusted)
    if not can_judge(data.trusted):
        if m:
            what = "are of one class" if m >= LEAST_TRUSTED else f"are fewer than {LEAST_TRUSTED}"
            warnings.warn(f"the {m} trusted rows {what}: they are fitted, and nothing is judged by them", stacklevel=4)
        return _examined(data, level, rng)
    return _repaired(data, level, rng)


def _repaired(data: RepairData, level: float, rng: np.random.Generator) -> Learned:
    found = repair(data, rng)
    suspects, wrong = most_first(found.p_wrong, found.suspects(level)), found.wrong_labels(data)
    return Learned(found.weights, found.labels, likely(found.labels, data.given), found.p_wrong, found.phi, suspects, wrong)


def _examined(data: RepairData, level: float, rng: np.random.Generator) -> Learned:
    found = examine(data, rng)
    sure = found.probabilities.max(axis=1)  # in place of what trusted rows would say of the model
    wrong = count_wrong(found.probabilities, found.labels, data.given, found.self_confidence, sure)
    suspects = most_first(found.p_wrong, surely_wrong(found.p_wrong, level))
    phi = np.full(len(data.given), np.nan)
    return Learned(found.weights, found.labels, likely(found.labels, data.given), found.p_wrong, phi, suspects, wrong)


def likely(soft_labels: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The likeliest label of each row where its probability is `LIKELY` or more, else the given one, (n,)."""
    return np.where(soft_labels.max(axis=1) >= LIKELY, soft_labels.argmax(axis=1), given)


def most_first(p_wrong: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """The listed rows, most surely wrong first. p_wrong: (n,), listed: (n,) bool."""
    rows = np.flatnonzero(listed)
    return rows[np.argsort(-p_wrong[rows], kind="stable")]


def surely_wrong(p_wrong: np.ndarray, level: float) -> np.ndarray:
    """The longest list of which the mean probability of being right is `level` at most, (n,) bool.

    It keeps its word only as far as the probabilities do: there are no trusted rows to calibrate them. p_wrong: (n,).
    """
    order = np.argsort(-p_wrong, kind="stable")
    right = np.cumsum(1.0 - p_wrong[order]) / np.arange(1, len(order) + 1)
    listed = np.zeros(len(p_wrong), dtype=bool)
    listed[order[: np.searchsorted(right, level, side="right")]] = True
    return listed
