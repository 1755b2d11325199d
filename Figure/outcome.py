"""What a run of RDIA.py found, and what it leaves in its result directory."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.dataset import Dataset
from data.identity import run_key
from data.noise import NoisyLabels
from data.streams import generator
from Figure.alpha_plot import draw_choice, draw_phi
from Figure.config import Config
from Figure.gallery import MOST, draw_gallery
from Figure.results import Record, append_line, environment, remove, table_of, write_csv
from Figure.review import NAME, Review, keep, review
from influence import SolverError
from models.choose import Point, TooFewRowsError, choose
from models.model import Model, Scores

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What a run found."""

    record: Record  # the object that --json prints
    dataset: Dataset
    given: NoisyLabels  # training labels after noise
    scores: Scores
    chosen: np.ndarray  # (n,) bool, the relabeled
    model: Model
    weights: Any  # of ERM


def key(config: Config, dataset: Dataset, given: NoisyLabels) -> str:
    """The run, by its data and the settings that its suggestions depend on."""
    own = ("C",) if config.model == "linear" else ("solver", "damping", "n_epoch")
    settings = {name: getattr(config, name) for name in ("noise", "seed", "alpha", "relabel", "model", *own)}
    named = {name: "auto" if value is None else value for name, value in settings.items()}
    return run_key({"dataset": Path(config.dataset).resolve().name, **named}, dataset, given.labels)


def losses_by_alpha(outcome: Outcome, config: Config) -> list[Point]:
    """The validation loss of a grid of alpha; none, and a note, where it cannot be had: the page can do without."""
    model, dataset, mode = outcome.model, outcome.dataset, outcome.record["relabel"]
    train = model.inputs(dataset.train.x), outcome.given.labels
    validation = model.inputs(dataset.validation.x), dataset.validation.labels
    try:
        return choose(model, train, validation, outcome.weights, (mode,), generator(config.seed, "choose")).curve
    except (SolverError, TooFewRowsError) as error:
        log.warning("note: the page shows no validation loss by alpha: %s", error)
        return []


def reviewed(outcome: Outcome, config: Config, with_curve: bool) -> Review:
    """What a person needs to judge the suggestions. with_curve: try a grid of alpha if the run has not."""
    record, dataset, given, model, weights = outcome.record, outcome.dataset, outcome.given, outcome.model, outcome.weights
    mode, linear, x = record["relabel"], config.model == "linear", model.inputs(dataset.train.x)
    curve = [point for point in record.get("curve", []) if point["relabel"] == mode]
    if with_curve and linear and len(curve) < 2:  # a network is fitted too slowly for it
        curve = [point._asdict() for point in losses_by_alpha(outcome, config)]
    facts = {
        **record,
        "curve": curve,
        "run": key(config, dataset, given),
        "model": f"{'logistic' if model.classes == 2 else 'softmax'} regression" if linear else f"network ({config.model})",
        "alpha_chosen": config.alpha is None,
        "flipped": int(given.flipped.sum()),
    }
    return review(facts, dataset, given, outcome.scores, model.logits(x, weights), weights if linear else None)


def most_harmful(outcome: Outcome) -> np.ndarray:
    """Places of the relabeled samples, most harmful first."""
    rows = np.flatnonzero(outcome.chosen)
    return rows[np.argsort(-outcome.scores.phi[rows], kind="stable")]


def relabeled_rows(outcome: Outcome) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of relabeled.csv, most harmful first; an image folder's rows also name the file."""
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


def draw(outcome: Outcome, folder: Path) -> None:
    """The pictures of a run; those that it has not are taken away, so that none is of a run before."""
    record, dataset, scores = outcome.record, outcome.dataset, outcome.scores
    for name in ("alpha.png", "gallery.png"):
        remove(folder / name)
    draw_phi(scores.phi, outcome.given.flipped, record["alpha"], folder / "phi.png")
    if "curve" in record:
        draw_choice(record["curve"], record["alpha"], record["relabel"], folder / "alpha.png")
    rows = most_harmful(outcome)[:MOST]
    if dataset.shape and len(rows):
        names = np.array(dataset.classes)
        given, suggested, true = (names[labels[rows]] for labels in (outcome.given.labels, scores.best, dataset.train.labels))
        known = true if outcome.given.flipped.any() else None
        draw_gallery(dataset.train.x[rows], dataset.shape, given, suggested, known, folder / "gallery.png")


def save(outcome: Outcome, config: Config, found: Review | None, folder: Path) -> None:
    """Write relabeled.csv, audit.npz if there is a review, and the pictures anew and append the run to results.jsonl."""
    write_csv(folder / "relabeled.csv", *relabeled_rows(outcome))
    settings = {"C": config.C, "solver": config.solver, "validation": config.validation.part, "n_epoch": config.n_epoch}
    settings |= {"block_rows": config.block_rows, "dask": config.dask, "gpu": config.gpu}
    draw(outcome, folder)
    remove(folder / NAME)
    if found:
        keep(found, folder)
    append_line(folder / "results.jsonl", {**outcome.record, **settings, **environment()})
