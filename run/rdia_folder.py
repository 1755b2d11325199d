"""The files that a run of RDIA.py writes into its --result_dir."""

from pathlib import Path

import numpy as np

from run.gallery import MOST_PICTURES, draw_gallery
from run.phi_plot import draw_choice, draw_phi
from run.rdia import Config, Outcome
from run.records import append_line, environment, remove, table_of, write_csv

SUSPECTS_LISTED = "relabeled.csv"


def save_outcome(outcome: Outcome, config: Config, folder: Path) -> None:
    """Replace relabeled.csv and the pictures, and append the run to results.jsonl. Raises `InputError`."""
    write_csv(folder / SUSPECTS_LISTED, *relabeled_rows(outcome))
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
    """Header and rows of relabeled.csv, most harmful first. For a folder of pictures a row also has the file name."""
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
    if outcome.dataset.files:
        columns["file"] = np.array(outcome.dataset.files)[columns["index"]]
    return table_of(columns)


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
