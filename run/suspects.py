"""The training samples to which a network gives another label than their own, after it was trained not to believe them all."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.metrics import share
from run.records import Record, table_of


class Suspects(NamedTuple):
    """m samples, the least likely label first: in the order of their loss, largest first."""

    places: np.ndarray  # (m,) among the training samples
    labels: np.ndarray  # (m,) the network's
    p_old: np.ndarray  # (m,) its probability of the given label
    p_new: np.ndarray  # (m,) and of its own


def suspects(p: np.ndarray, given: np.ndarray) -> Suspects:
    """Of all training samples. p: (n, K) probabilities. given: (n,) labels. Equal probabilities keep the order of the samples."""
    likeliest = p.argmax(axis=1)
    differ = np.flatnonzero(likeliest != given)
    p_old = p[differ, given[differ]]
    order = np.argsort(p_old, kind="stable")
    places = differ[order]
    return Suspects(places, likeliest[places], p_old[order], p[places, likeliest[places]])


def suspect_rows(
    found: Suspects, given: np.ndarray, classes: Sequence[str], rows: np.ndarray, files: Sequence[str]
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of suspects.csv. rows: (n,) numbers of the samples in their source. files: (n,) their names, or none."""
    names = np.array(classes)
    columns = {
        "index": rows[found.places],
        "old_label": names[given[found.places]],
        "new_label": names[found.labels],
        "p_old": found.p_old,
        "p_new": found.p_new,
    }
    if files:
        columns["file"] = np.array(files)[found.places]
    return table_of(columns)


def judged(found: Suspects, correct: np.ndarray | None) -> Record:
    """How many suspects there are; where it is known, the share of wrong labels among them, and of the wrong labels that they are.

    correct: (n,) bool, whether the given label is the true one; None where that is not known.
    """
    if correct is None:
        return {"suspects": len(found.places), "precision": None, "recall": None}
    listed = np.zeros(len(correct), dtype=bool)
    listed[found.places] = True
    return {"suspects": len(found.places), "precision": share(~correct, listed), "recall": share(listed, ~correct)}
