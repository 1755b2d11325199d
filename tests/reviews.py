"""Reviews without a run, for the tests of the page."""

import math
from collections.abc import Sequence

import numpy as np

from data.dataset import Dataset
from data.noise import flip_count
from data.source import Part
from models.model import Scores
from page.review import Review, review_of


def a_review(n: int, k: int, classes: Sequence[str] = (), shape: tuple[int, ...] | None = None) -> Review:
    """What a page shows: n samples of k classes with three features, or pictures; that of row i is black but for pixel i."""
    rng = np.random.default_rng(0)
    names = tuple(classes) or tuple(map(str, range(k)))
    x = np.eye(n, math.prod(shape)) if shape else rng.standard_normal((n, 3))
    truth = np.arange(n) % k
    part = Part(x, truth, np.arange(n))
    dataset = Dataset(part, part, part, names, None, shape, ())
    given = flip_count(truth, n // 3, rng, k)
    phi = np.where(given.flipped, 1.0, -1.0) * rng.random(n) + 0.2 * rng.standard_normal(n)
    best = np.where(phi > 0, np.where(given.flipped, truth, (truth + 1) % k), given.labels)
    scores = Scores(phi, -2 * phi, best, np.minimum(0.0, -3 * phi), 0.0)
    weights: np.ndarray = rng.standard_normal((k, x.shape[1])) if k > 2 else rng.standard_normal((1, x.shape[1]))[0]
    metrics = {
        "validation": {"log_loss": 0.5, "accuracy": 0.75, "auc": None},
        "test": {"log_loss": 0.5, "accuracy": 0.75, "auc": None},
    }
    curve = [{"relabel": "R", "alpha": alpha, "changed": 0, "loss": 0.25 + alpha / 4} for alpha in (1.0, 0.5, 0.0)]
    facts = {
        "dataset": "made",
        "model": "softmax regression",
        "alpha": 0.01,
        "alpha_chosen": False,
        "relabel": "R",
        "flipped": int(given.flipped.sum()),
        **dict.fromkeys(("n_train", "n_validation", "n_test"), n),
        "seed": 1,
        "methods": {"ERM": metrics, "RDIA": metrics},
        "curve": curve,
        "run": f"dataset=made&n={n}&k={k}",
    }
    return review_of(facts, dataset, given, scores, x @ weights.T, weights)
