"""The files that a run of RDIA.py writes into its --result_dir."""

from pathlib import Path

import numpy as np

from data.dataset import with_descriptions
from run.corrected import save_corrected
from run.gallery import MOST_PICTURES, draw_gallery
from run.phi_plot import draw_choice, draw_phi
from run.rdia import Config, Outcome
from run.records import append_line, environment, remove, table_of, write_csv

SUSPECTS_LISTED = "relabeled.csv"


def save_outcome(outcome: Outcome, config: Config, folder: Path) -> None:
    """Replace relabeled.csv, the corrected table and the pictures; append the run to results.jsonl. Raises `InputError`."""
    write_csv(folder / SUSPECTS_LISTED, *relabeled_rows(outcome))
    save_corrected(outcome.dataset, decided_columns(outcome), folder)
    draw_outcome(outcome, folder)
    settings = {"C": config.C, "solver": config.solver, "validation": config.validation.part, "n_epoch": config.n_epoch}
    settings |= {"block_rows": config.block_rows, "dask": config.dask, "gpu": config.gpu}
    device = "cpu" if config.gpu is None else f"cuda:{config.gpu}"
    record = {**outcome.record, **settings, **environment(str(getattr(outcome.model, "device", device)))}
    append_line(folder / "results.jsonl", record)


def most_harmful(outcome: Outcome) -> np.ndarray:
    """The relabeled samples as places in the training rows, most harmful first."""
    rows = np.flatnonzero(outcome.chosen)
    return rows[np.argsort(-outcome.scores.phi[rows], kind="stable")]


def relabeled_rows(outcome: Outcome) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of relabeled.csv, most harmful first. Pictures also have the file name, tables their columns."""
    rows, scores = most_harmful(outcome), outcome.scores
    classes = np.array(outcome.dataset.classes)
    columns = {
        "index": outcome.dataset.train.rows[rows],
        "old_label": classes[outcome.given.labels[rows]],
        "new_label": classes[scores.best[rows]],
        "phi": scores.phi[rows],
        "eta": scores.eta[rows],
    }
    if len(classes) > 2:
        columns["eta_new_label"] = scores.eta_best[rows]
    return table_of(with_descriptions(outcome.dataset, columns))


def decided_columns(outcome: Outcome) -> dict[str, np.ndarray]:
    """What corrected.csv says of each training row, (n,) by name.

    decision: "change" or "keep", where a person decided by that person's label; without decisions every suspect is to change, with
    some a suspect that has none is one to look at.
    """
    given, chosen, classes = outcome.given.labels, outcome.chosen, np.array(outcome.dataset.classes)
    labels = np.where(chosen, outcome.scores.best, given)
    decision = np.where(chosen, "look" if outcome.decided else "change", "keep")
    if outcome.decided:
        rows = outcome.decided.rows
        labels = np.where(rows, outcome.decided.labels, labels)
        decision = np.where(rows, np.where(labels != given, "change", "keep"), decision)
    return {"suggested_label": classes[labels], "phi": outcome.scores.phi, "decision": decision}


def draw_outcome(outcome: Outcome, folder: Path) -> None:
    """Draw the pictures of a run, and remove those of an earlier run."""
    record, dataset, scores = outcome.record, outcome.dataset, outcome.scores
    for name in ("alpha.png", "gallery.png"):
        remove(folder / name)
    draw_phi(scores.phi, outcome.given.flipped, record["alpha"], folder / "phi.png")
    if "curve" in record:
        draw_choice(record["curve"], record["alpha"], record["relabel"], folder / "alpha.png")
    rows = most_harmful(outcome)[:MOST_PICTURES]
    if dataset.shape and len(rows):
        names = np.array(dataset.classes)
        given, suggested, true = (names[labels[rows]] for labels in (outcome.given.labels, scores.best, dataset.train.labels))
        known = true if outcome.given.flipped.any() else None
        draw_gallery(dataset.train.x[rows], dataset.shape, given, suggested, known, folder / "gallery.png")
