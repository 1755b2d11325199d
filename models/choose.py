"""alpha, and what to do with the samples above it, chosen on validation rows that the influences have not seen."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from influence.relabel import harmful
from models.metrics import evaluate
from models.model import MODES, Mode, Model, Scores, refit

# Shares of the samples with Phi > 0 that are tried, most harmful first; none of them is ERM.
TRIED_SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
Samples: TypeAlias = tuple[Any, np.ndarray]  # as the model takes them, and their labels
Progress: TypeAlias = Callable[[int, int], None]  # how many are done, of how many
LEAST_ROWS = 2  # validation rows: one for each half


def silent(_done: int, _total: int) -> None:
    """Progress that nobody is told of."""


class TooFewRowsError(ValueError):
    """Validation rows that cannot be halved."""


class Point(NamedTuple):
    """One candidate, and what came of it."""

    relabel: Mode
    alpha: float
    changed: int  # samples above alpha
    loss: float  # mean log-loss on the other half of the validation rows, nats


class Choice(NamedTuple):
    """What was given, or the candidate with the least loss; of equals the one that changes least."""

    alpha: float  # in the unit of Phi from all validation rows
    relabel: Mode
    curve: list[Point]  # every candidate; none where both were given


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
    """`choose` what is None or "auto", over every mode that differs from the others; what is given stays."""
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
    """Phi from one half of the validation rows, the loss of every candidate from the other.

    Phi is a sum over validation rows: an alpha found with half of them is doubled, n_Q over the rows of that half to be exact.
    train, validation: rows and labels; weights: the fit on the labels as given; alpha: the only one to try; progress: called with
    the candidates that are fitted, and their number. Raises `SolverError`, and `TooFewRowsError` for less than 2 validation rows.
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
    """The values of alpha above which the shares of the harmful samples lie, falling."""
    positive = np.sort(scores.phi[scores.phi > 0])[::-1]
    places = sorted({round(share * len(positive)) for share in TRIED_SHARES})
    values = [float(positive[0]), *map(float, positive[1:]), 0.0] if len(positive) else [0.0]
    return [values[place] for place in places]
