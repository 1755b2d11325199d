"""alpha, and what to do with the samples above it, chosen on validation rows that the influences have not seen."""

import itertools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from data.telling import Progress, silent
from influence.relabel import harmful
from models.metrics import evaluate
from models.model import MODES, Mode, Model, Scores, refit

# Shares of the samples with Phi > 0 that are tried as changed, most harmful first; a share of 0 is ERM.
TRIED_SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
Samples: TypeAlias = tuple[Any, np.ndarray]  # rows as the model takes them, and their labels
LEAST_ROWS = 2  # validation rows: one for each half


class TooFewRowsError(ValueError):
    """Too few validation rows to halve."""


class Point(NamedTuple):
    """One candidate and its validation loss."""

    relabel: Mode
    alpha: float
    changed: int  # samples above alpha
    loss: float  # mean log-loss on the other half of the validation rows, nats


class Choice(NamedTuple):
    """What was given, or the candidate with the least loss; of equal losses the one that changes the fewest samples."""

    alpha: float  # in the unit of Phi from all validation rows
    relabel: Mode
    curve: list[Point]  # every candidate; empty where both were given


def settle(
    model: Model,
    train: Samples,
    validation: Samples,
    weights: Any,
    alpha: float | None,
    relabel: Mode | Literal["auto"],
    generator: np.random.Generator,
    progress: Progress = silent,
) -> Choice:
    """alpha and mode as given, or, where alpha is None or relabel "auto", the best by `choose` over all modes that differ."""
    if alpha is not None and relabel != "auto":
        return Choice(alpha, relabel, [])
    every: tuple[Mode, ...] = MODES if model.classes > 2 else ("R", "drop")  # the best of two labels is the flip
    return choose(model, train, validation, weights, every if relabel == "auto" else (relabel,), generator, alpha, progress)


def choose(
    model: Model,
    train: Samples,
    validation: Samples,
    weights: Any,
    modes: Sequence[Mode],
    generator: np.random.Generator,
    alpha: float | None = None,
    progress: Progress = silent,
) -> Choice:
    """Compute Phi on one half of the validation rows, evaluate every candidate on the other, and take the best.

    Phi is a sum over validation rows, so an alpha found with m of the n rows is multiplied by n / m. train, validation: rows and
    labels; weights: the fit on the labels as given; alpha: the only one to try, if given; progress: called with the number of
    candidates that have been fitted, and of all. Raises `SolverError`, and `TooFewRowsError` for fewer than 2 validation rows.
    """
    x_validation, labels_validation = validation
    n = len(labels_validation)
    if n < LEAST_ROWS:
        rows = "is 1 validation row" if n == 1 else f"are {n} validation rows"
        raise TooFewRowsError(f"there {rows}, expected {LEAST_ROWS} or more: one half selects, the other evaluates")
    order = generator.permutation(n)
    seen, unseen = np.sort(order[: n // 2]), np.sort(order[n // 2 :])
    scores = model.influence(*train, x_validation[seen], labels_validation[seen], weights)
    candidates = list(itertools.product(modes, thresholds(scores) if alpha is None else [alpha * len(seen) / n]))
    curve: list[Point] = []
    for mode, threshold in candidates:
        progress(len(curve), len(candidates))
        chosen = harmful(scores.phi, threshold)
        refitted = refit(model, *train, scores, chosen, mode) if chosen.any() else weights
        loss = evaluate(model.logits(x_validation[unseen], refitted), labels_validation[unseen]).log_loss
        curve.append(Point(mode, threshold * n / len(seen), int(chosen.sum()), loss))
    best = min(curve, key=lambda point: (point.loss, point.changed))
    return Choice(best.alpha, best.relabel, curve)


def thresholds(scores: Scores) -> list[float]:
    """Falling values of alpha, such that the samples above them are the `TRIED_SHARES` of those with Phi > 0."""
    positive = np.sort(scores.phi[scores.phi > 0])[::-1]
    places = sorted({round(share * len(positive)) for share in TRIED_SHARES})
    values = [*map(float, positive), 0.0]
    return [values[place] for place in places]
