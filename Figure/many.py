"""Many classes: relabeling by R against relabeling to the best label; a run of the targets `classes` and `networks`."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.dataset import Dataset
from data.noise import NoisyLabels, flip_share
from data.streams import generator
from Figure.compare import load_once
from influence import harmful
from models.linear import LinearModel
from models.metrics import share
from models.model import Mode, Model, judge, refit
from run.records import Record
from run.stages import Stages

RELABELINGS: dict[str, Mode] = {"Dropout": "drop", "RDIA, R": "R", "RDIA, best label": "best"}
MANY_METHODS = ("ERM", *RELABELINGS)


class ManyClasses(NamedTuple):
    """What determines the numbers of a run, apart from the machine."""

    dataset: str
    noise: float
    seed: int
    C: float = 0.1
    alpha: float = 0.0


def relabel_many(config: ManyClasses, data_dir: Path) -> Record:
    """Softmax regression: metrics of each method, precision and recall of the relabeled, and the share whose best label is true."""
    stages = Stages(4)
    with stages("load"):
        dataset = load_once(config.dataset, data_dir, config.seed)
        given = noisy(dataset, config.noise, config.seed)
    return compare_relabelings(LinearModel(len(dataset.classes), config.C), dataset, given, config.alpha, stages)


def noisy(dataset: Dataset, noise: float, seed: int) -> NoisyLabels:
    """The training labels, a share of them changed."""
    return flip_share(dataset.train.labels, noise, generator(seed, "noise"), len(dataset.classes))


def splits_of(model: Model, dataset: Dataset) -> dict[str, tuple[Any, np.ndarray]]:
    """The validation and test sets that the model is judged on: rows as the model takes them, and labels."""
    parts = {"validation": dataset.validation, "test": dataset.test}
    return {name: (model.inputs(part.x), part.labels) for name, part in parts.items()}


def compare_relabelings(model: Model, dataset: Dataset, given: NoisyLabels, alpha: float, stages: Stages) -> Record:
    """Fit ERM and every relabeling of the samples with Phi > alpha (Dropout leaves out those with Phi > 0), and judge each."""
    x, splits = model.inputs(dataset.train.x), splits_of(model, dataset)
    with stages("fit"):
        weights = {"ERM": model.fit(x, given.labels)}
    with stages("solve"):
        scores = model.influence(x, given.labels, *splits["validation"], weights["ERM"])
    chosen = harmful(scores.phi, alpha)
    with stages("fit"):
        for name, mode in RELABELINGS.items():
            changed = harmful(scores.phi, 0.0) if mode == "drop" else chosen
            weights[name] = refit(model, x, given.labels, scores, changed, mode)
    with stages("evaluate"):
        methods = {name: judge(model, weights[name], splits) for name in MANY_METHODS}
    found = {"precision": share(given.flipped, chosen), "recall": share(chosen, given.flipped)}
    right = share(scores.best == dataset.train.labels, chosen)
    sizes = {"n_train": len(given.labels), "relabeled": int(chosen.sum())}
    solve = {"damping": scores.damping, "largest_eigenvalue": scores.largest, "residual": scores.residual}
    return {**sizes, **found, "right": right, "methods": methods, **solve, "seconds": stages.seconds}
