"""The bench: every method on one cell, and what the repair says of its labels; a run of the target `bench`."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from Figure.bench_data import Cell, CellConfig, make_cell
from Figure.bench_methods import Fitted, Others, has_cleanlab, log_losses
from models.pool import suggestions
from models.repair import RepairData, Repaired, repair
from run.records import Record

OURS = "Repaired"
LEVELS = (0.05, 0.1, 0.2)  # q of the lists
DIGITS = 5


def bench(config: CellConfig, data_dir: Path) -> Record:
    """One line of the bench."""
    cleanlab = {"cleanlab": version("cleanlab")} if has_cleanlab() else {}
    return {**cleanlab, **measure(make_cell(config, data_dir), config.seed)}


def measure(cell: Cell, seed: int) -> Record:
    """Test metrics of every method, and the scores, lists and counts of the repair."""
    before = time.process_time()
    repaired = repair(cell.data, np.random.default_rng([seed, 1]))
    ours = Fitted(repaired.weights, time.process_time() - before, 0.0)
    fitted = {OURS: ours, **dict(Others(cell.data, np.random.default_rng([seed, 2])).all())}
    found = {
        "n_train": len(cell.true),
        "n_test": len(cell.test),
        "classes": cell.data.classes,
        "wrong": int((cell.data.given != cell.true).sum()),
        "methods": {name: judge_method(cell, each, ours) for name, each in fitted.items()},
        **of_labels(cell.data, cell.true, repaired),
        "seconds": time.process_time() - before,
    }
    return rounded(found)


def rounded(value: Any) -> Any:
    """Floats with 5 digits, so that kept lines are small."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value


def judge_method(cell: Cell, fitted: Fitted, ours: Fitted) -> Record:
    """Metrics on the test rows, and standard errors of the differences to ours, row by row."""
    from sklearn.metrics import f1_score

    mine, other = (cell.x_test @ each.weights.T for each in (fitted, ours))
    labels, guess = cell.test, mine.argmax(axis=1)
    losses, right = log_losses(mine, labels), guess == labels
    return {
        "log_loss": float(losses.mean()),
        "accuracy": float(right.mean()),
        "macro_f1": float(f1_score(labels, guess, average="macro", zero_division=0)),
        "se_loss": standard_error(losses - log_losses(other, labels)),
        "se_accuracy": standard_error(right.astype(float) - (other.argmax(axis=1) == labels)),
        "seconds": fitted.seconds,
        "C": fitted.C,
    }


def standard_error(values: np.ndarray) -> float:
    """Of the mean, (n,)."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def of_labels(data: RepairData, true: np.ndarray, repaired: Repaired) -> Record:
    """What the repair says of the labels, against the true ones."""
    wrong = data.given != true
    suggested = suggestions(repaired.labels, repaired.probabilities, data.given)
    some = suggested >= 0
    scores = {
        "p_wrong": repaired.p_wrong,
        "phi": repaired.phi,
        "self_confidence": -repaired.self_confidence,
        "trusted_confidence": -repaired.trusted_confidence,
    }
    return {
        "average_precision": average_precisions(scores, wrong),
        "suggested": {"rows": int(some.sum()), "right": int((suggested[some] == true[some]).sum())},
        "count": {name: float(value) for name, value in repaired.wrong_labels(data)._asdict().items()},
        "lists": {str(q): listed(repaired, wrong, q) for q in LEVELS},
    }


def average_precisions(scores: dict[str, np.ndarray], wrong: np.ndarray) -> Record:
    """Of each score (n,) as a ranking of the wrong labels (n,) bool; nothing where none or all are wrong."""
    from sklearn.metrics import average_precision_score

    if wrong.all() or not wrong.any():
        return {}
    return {name: float(average_precision_score(wrong, score)) for name, score in scores.items()}


def listed(repaired: Repaired, wrong: np.ndarray, q: float) -> Record:
    """How many labels are listed at a level, and how many of them are wrong."""
    chosen = repaired.suspects(q)
    return {"listed": int(chosen.sum()), "wrong": int((chosen & wrong).sum())}
