"""Labels flipped one at a time and the model fitted again: a run of the target `influence`."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.dataset import load
from data.noise import flip_share
from data.streams import generator
from influence import Fit, logistic_influence
from models.logistic_regression import fit_logistic, logistic_losses
from models.progress import ProgressBar
from run.records import Record


class Flips(NamedTuple):
    """What determines the numbers of a run, apart from the machine."""

    dataset: str
    seed: int
    noise: float = 0.2
    C: float = 0.1
    flips: int = 150  # samples that are flipped and refitted


def flip_each(config: Flips, data_dir: Path) -> Record:
    """Predicted (eta / C) and actual change of the summed validation log-loss, for the half of the flips with the largest
    predictions and as many drawn from the rest."""
    data, C, half = load(config.dataset, data_dir, config.seed), config.C, config.flips // 2
    x, labels = data.train.x, flip_share(data.train.labels, config.noise, generator(config.seed, "noise")).labels
    weights = fit_logistic(x, labels, C)
    validation = Fit(data.validation.x, data.validation.labels, data.validation.x @ weights)
    predicted = logistic_influence(Fit(x, labels, x @ weights), validation, C).eta / C
    order = np.argsort(-np.abs(predicted))
    rest = generator(config.seed, "random").choice(order[half:], config.flips - half, replace=False)
    chosen = np.concatenate([order[:half], rest])
    before = logistic_losses(validation.logits, validation.labels).sum()
    actual = []
    with ProgressBar(len(chosen), "flip", title=config.dataset) as bar:
        for i in chosen:
            flipped = labels.copy()
            flipped[i] = 1 - flipped[i]
            actual.append(float(logistic_losses(validation.x @ fit_logistic(x, flipped, C), validation.labels).sum() - before))
            bar.update()
    return {"rows": data.train.rows[chosen].tolist(), "predicted": predicted[chosen].tolist(), "actual": actual}
