"""Softmax regression on many classes: what relabeling by R and by the best label buy; a run of the target `classes`."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.noise import flip_share
from data.streams import generator
from Figure.compare import judged, load_once
from Figure.results import Record
from Figure.stages import Stages
from influence import harmful
from models.linear import LinearModel
from models.metrics import share

METHODS = ("ERM", "Dropout", "RDIA, R", "RDIA, best label")


class ManyClasses(NamedTuple):
    """Everything a run's numbers depend on, but the machine."""

    dataset: str
    noise: float
    seed: int
    C: float = 0.1
    alpha: float = 0.0


def relabel_many(config: ManyClasses, data_dir: Path) -> Record:
    """Metrics of each method, and how many of the relabeled were wrong, were found, and got their true label."""
    stages = Stages(4)
    with stages("load"):
        dataset = load_once(config.dataset, data_dir, config.seed)
        x, validation, classes = dataset.train.x, dataset.validation, len(dataset.classes)
        given = flip_share(dataset.train.labels, config.noise, generator(config.seed, "noise"), classes)
    model = LinearModel(classes, config.C)
    with stages("fit"):
        weights = {"ERM": model.fit(x, given.labels)}
    with stages("solve"):
        scores = model.influence(x, given.labels, validation.x, validation.labels, weights["ERM"])
    chosen, kept = harmful(scores.phi, config.alpha), ~harmful(scores.phi, 0.0)
    with stages("fit"):
        weights["Dropout"] = model.fit(x[kept], given.labels[kept])
        weights["RDIA, R"] = model.fit(x, given.labels, chosen)
        weights["RDIA, best label"] = model.fit(x, np.where(chosen, scores.best, given.labels))
    with stages("evaluate"):
        methods = {name: judged(weights[name], dataset) for name in METHODS}
    found = {"precision": share(given.flipped, chosen), "recall": share(chosen, given.flipped)}
    right = share(scores.best == dataset.train.labels, chosen)
    sizes = {"n_train": len(given.labels), "relabeled": int(chosen.sum())}
    return {**sizes, **found, "right": right, "methods": methods, "seconds": stages.seconds}
