"""The suspects of RDIA-LS: training samples for which the trained network predicts another label than the given one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.metrics import share
from run.records import Record, table_of


class Suspects(NamedTuple):
    """m samples, the one with the least likely given label first."""

    places: np.ndarray  # (m,) among the training samples
    labels: np.ndarray  # (m,) that the network predicts
    p_old: np.ndarray  # (m,) predicted probability of the given label
    p_new: np.ndarray  # (m,) and of the predicted one


def suspects(p: np.ndarray, given: np.ndarray, checked: np.ndarray | None = None) -> Suspects:
    """p: (n, K) predicted probabilities of all training samples; given: (n,) their labels. Ties keep the order of the samples.

    checked: (n,) bool, samples that a person has decided, which are no suspects.
    """
    likeliest = p.argmax(axis=1)
    differ = np.flatnonzero(likeliest != given if checked is None else (likeliest != given) & ~checked)
    p_old = p[differ, given[differ]]
    order = np.argsort(p_old, kind="stable")
    places = differ[order]
    return Suspects(places, likeliest[places], p_old[order], p[places, likeliest[places]])


def suspect_rows(
    found: Suspects, given: np.ndarray, classes: Sequence[str], rows: np.ndarray, files: Sequence[str]
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of suspects.csv. rows: (n,) rows of the samples in their source. files: (n,) their file names, or none."""
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


class Labels(NamedTuple):
    """Labels of the training samples, (n,) each."""

    given: np.ndarray
    now: np.ndarray  # after a person's decisions
    checked: np.ndarray  # bool, those that were decided


def label_rows(
    found: Suspects, p: np.ndarray, labels: Labels, classes: Sequence[str], files: Sequence[str]
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of labels.csv: every training picture by its file, with the columns that RDIA.py writes.

    p: (n, K). files: (n,).
    """
    names, changed, suggested = np.array(classes), labels.now != labels.given, labels.now.copy()
    decision = np.where(changed, "change", "keep").astype(object)
    suggested[found.places], decision[found.places] = found.labels, "look"
    columns = {
        "file": np.array(files),
        "label": names[labels.given],
        "suggested_label": names[suggested],
        "p_wrong": np.where(labels.checked, changed, 1.0 - p[np.arange(len(p)), labels.given]),
        "decision": decision,
    }
    order = np.argsort(columns["file"], kind="stable")
    return table_of({name: values[order] for name, values in columns.items()})


def judged(found: Suspects, correct: np.ndarray | None) -> Record:
    """The number of suspects, and their precision and recall as a list of the wrong labels: None without injected noise.

    correct: (n,) bool, whether the given label is the true one; None if that is not known.
    """
    if correct is None:
        return {"suspects": len(found.places), "precision": None, "recall": None}
    listed = np.zeros(len(correct), dtype=bool)
    listed[found.places] = True
    return {"suspects": len(found.places), "precision": share(~correct, listed), "recall": share(listed, ~correct)}
