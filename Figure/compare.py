"""All methods on logistic regression, on one data set at one noise rate: a run of the targets `methods` and `noise`."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.dataset import load
from data.noise import flip_count, flip_share
from data.streams import generator
from influence import Fit, harmful, logistic_influence, relabel
from influence.resampling import WeightedSample, gradient_norms, keep_by_class, optlr_sample, subsample, uids_linear, uids_sigmoid
from models.linear import LinearModel
from models.logistic_regression import Weights, fit_logistic
from models.metrics import evaluate
from models.model import judge
from run.records import Record
from run.stages import Stages

COMPARED = ("ERM", "Random", "subsample", "OptLR", "Dropout", "UIDS linear", "UIDS sigmoid", "RDIA")
ALPHA_GRID = (0.2, 0.05, 0.01, 0.002, 0.0002, 0.0)
COMPARE_STAGES = ("load", "fit", "solve", "draw", "evaluate")

load_once = functools.lru_cache(maxsize=1)(load)  # consecutive runs of a sweep often share their data set


class Comparison(NamedTuple):
    """What determines the numbers of a run, apart from the machine."""

    dataset: str
    noise: float
    seed: int
    C: float = 0.1
    alphas: tuple[float, ...] = ALPHA_GRID  # RDIA takes the one with the least validation log-loss, the first of equals


class Training(NamedTuple):
    """The part of the training set that one method is fitted on, with its labels and weights."""

    labels: np.ndarray  # (n,) 0 or 1
    kept: Any = slice(None)  # which rows: (n,) bool, or all
    sample_weights: Weights = 1.0  # (kept,)


def compare(config: Comparison, data_dir: Path) -> Record:
    """Fit ERM, compute all influences from it with one solve, fit and judge every method."""
    stages, C = Stages(len(COMPARE_STAGES)), config.C
    with stages("load"):
        dataset = load_once(config.dataset, data_dir, config.seed)
        labels = flip_share(dataset.train.labels, config.noise, generator(config.seed, "noise")).labels
    x, validation = dataset.train.x, dataset.validation
    with stages("fit"):
        weights = {"ERM": fit_logistic(x, labels, C)}
    with stages("solve"):
        train = Fit(x, labels, x @ weights["ERM"])
        phi = logistic_influence(train, Fit(validation.x, validation.labels, validation.x @ weights["ERM"]), C).phi
        optlr = generator(config.seed, "optlr")
        norms = gradient_norms(train, C, optlr)
    with stages("draw"):
        trainings = resampled(labels, phi, optlr_sample(norms, optlr), config.seed)
    for alpha in config.alphas:
        trainings[f"RDIA {alpha:g}"] = Training(relabel(labels, harmful(phi, alpha)))
    with stages("fit"):
        weights |= {name: fit(x, training, C) for name, training in trainings.items()}
    with stages("evaluate"):
        losses = [evaluate(validation.x @ weights[f"RDIA {alpha:g}"], validation.labels).log_loss for alpha in config.alphas]
        alpha = config.alphas[int(np.argmin(losses))]
        relabeled = int(harmful(phi, alpha).sum())
        weights["RDIA"] = weights[f"RDIA {alpha:g}"]
    with stages("fit"):
        at_random = flip_count(labels, relabeled, generator(config.seed, "random"))
        weights["Random"] = fit_logistic(x, at_random.labels, C)
    with stages("evaluate"):
        parts = {"validation": (validation.x, validation.labels), "test": (dataset.test.x, dataset.test.labels)}
        methods = {name: judge(LinearModel(2, C), weights[name], parts) for name in COMPARED}
    chosen = {"alpha": alpha, "validation_losses": losses, "relabeled": relabeled, "n_train": len(labels)}
    return {**chosen, "methods": methods, "seconds": stages.seconds}


def resampled(labels: np.ndarray, phi: np.ndarray, optlr: WeightedSample, seed: int) -> dict[str, Training]:
    """Training sets of the methods that leave samples out, by name. labels, phi: (n,)."""
    uids = generator(seed, "uids")
    return {
        "subsample": Training(labels, subsample(len(labels), generator(seed, "subsample"))),
        "OptLR": Training(labels, optlr.kept, optlr.weights),
        "Dropout": Training(labels, ~harmful(phi, 0.0)),
        "UIDS linear": Training(labels, keep_by_class(uids_linear(phi), labels, uids)),
        "UIDS sigmoid": Training(labels, keep_by_class(uids_sigmoid(phi), labels, uids)),
    }


def fit(x: Any, training: Training, C: float) -> np.ndarray:
    """The weights of one method, (d,). x: (n, d)."""
    return fit_logistic(x[training.kept], training.labels[training.kept], C, training.sample_weights)
