"""A run of RDIA by the protocol auto: everything is chosen by cross-fitting over trusted rows, and every training row is ranked."""

import importlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.dataset import FROM_TRAIN, OWN_ROWS, Dataset, load
from data.errors import InputError
from data.libsvm import read_libsvm
from data.libsvm_parts import Read
from data.noise import NoisyLabels, flip_share
from data.public import ROW_SETS
from data.streams import generator
from models.metrics import evaluate, share
from models.promise import WrongLabels, benjamini_hochberg, count_wrong, p_values
from models.repair import Labelled, Repaired, Simple, TooFewTrustedError, repair
from run.rdia import Config
from run.records import Record, append_line, environment, table_of, write_csv
from run.stages import Stages

REPAIR_STAGES = ("import", "load", "repair", "evaluate")
SUGGESTED_FROM = 0.5  # probability of a suggested label; with more than two classes none is suggested below it
UNSURE = "unsure"
FEW_TRUSTED = 100  # rows below which a note says what can be expected


class Found(NamedTuple):
    """What a run by the protocol auto found."""

    record: Record  # the object that --json prints
    dataset: Dataset
    given: NoisyLabels  # training labels after noise
    repaired: Repaired
    listed: np.ndarray  # (n,) bool, the suspects at the level --fdr


def run_repair(config: Config, stages: Stages, read: Read = read_libsvm) -> Found:
    """Load, corrupt where asked for, repair, list, evaluate. Raises `InputError`, `SolverError`."""
    with stages("import"):
        importlib.import_module("scipy.optimize")
    with stages("load"):
        dataset = load(config.dataset, config.data_dir, config.seed, OWN_ROWS if own_data(config) else FROM_TRAIN, read)
        classes, trusted = len(dataset.classes), dataset.validation
        given = flip_share(dataset.train.labels, config.noise, generator(config.seed, "noise"), classes)
    with stages("repair"):
        data = Labelled(dataset.train.x, given.labels, trusted.x, trusted.labels, classes)
        try:
            repaired = repair(data, generator(config.seed, "repair"), stages.within)
        except TooFewTrustedError as error:
            raise InputError(f"--protocol auto: {error}; add trusted rows as FILE.val, x_val and y_val, or in val/") from error
    with stages("evaluate"):
        listed = benjamini_hochberg(p_values(repaired.scores, repaired.trusted_scores), config.fdr)
        methods = {name: judged(method, dataset) for name, method in repaired.methods.items()}
        wrong = wrong_labels(repaired, given.labels, trusted.labels)
    record = recorded(config, Found({}, dataset, given, repaired, listed), methods, wrong)
    return Found({**record, "seconds": stages.seconds}, dataset, given, repaired, listed)


def own_data(config: Config) -> bool:
    """Whether the data is a user's own."""
    return config.dataset not in ROW_SETS


def judged(method: Simple, dataset: Dataset) -> dict[str, Any]:
    """Metrics on the trusted rows, held out, and on the test rows, if there are any."""
    found: dict[str, Any] = {"trusted": evaluate(two_class(method.held_out), dataset.validation.labels)._asdict()}
    if len(dataset.test.labels):
        found["test"] = evaluate(two_class(dataset.test.x @ method.weights.T), dataset.test.labels)._asdict()
    return found


def two_class(logits: np.ndarray) -> np.ndarray:
    """Logits (n, K) as `models.metrics.evaluate` takes them: of two classes the difference, (n,)."""
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits


def wrong_labels(repaired: Repaired, given: np.ndarray, trusted: np.ndarray) -> WrongLabels:
    """How many training labels are wrong."""
    held_out = repaired.held_out[np.arange(len(trusted)), trusted]
    return count_wrong(repaired.probabilities, repaired.labels, given, repaired.self_confidence, held_out)


def recorded(config: Config, found: Found, methods: Record, wrong: WrongLabels) -> Record:
    """What --json prints, but for the seconds."""
    dataset, given, listed = found.dataset, found.given, found.listed
    known, best = bool(given.flipped.any()), found.repaired.labels.argmax(axis=1)
    return {
        "protocol": "auto",
        "dataset": config.dataset,
        "noise": config.noise,
        "seed": config.seed,
        "fdr": config.fdr,
        "n_train": len(given.labels),
        "n_trusted": len(dataset.validation.labels),
        "n_test": len(dataset.test.labels),
        "classes": len(dataset.classes),
        "wrong_labels": wrong._asdict(),
        "listed": int(listed.sum()),
        "precision": share(given.flipped, listed) if known else None,
        "recall": share(listed, given.flipped),
        "right": share(best == dataset.train.labels, listed) if known else None,
        "methods": methods,
    }


def suggestions(found: Found) -> tuple[np.ndarray, np.ndarray]:
    """The suggested label of each training row, by name or `UNSURE`, and its probability."""
    labels = found.repaired.labels
    best, p = labels.argmax(axis=1), labels.max(axis=1)
    names = np.array(found.dataset.classes, dtype=object)[best]
    names[(p < SUGGESTED_FROM) & (best != found.given.labels)] = UNSURE
    return names, p


def ranking(found: Found) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of ranking.csv: every training row, most surely wrong first."""
    repaired, dataset = found.repaired, found.dataset
    order = np.argsort(-repaired.p_wrong, kind="stable")
    names, p = suggestions(found)
    columns = {
        "index": dataset.train.rows[order],
        "label": np.array(dataset.classes)[found.given.labels[order]],
        "p_wrong": repaired.p_wrong[order],
        "phi": repaired.phi[order],
        "self_confidence": repaired.self_confidence[order],
        "trusted_confidence": repaired.trusted_confidence[order],
        "suggested_label": names[order],
        "p_suggested": p[order],
        "listed": found.listed[order].astype(int),
    }
    if dataset.files:
        columns["file"] = np.array(dataset.files)[columns["index"]]
    return table_of(columns)


def repair_notes(found: Found, config: Config) -> list[str]:
    """What a user should know of a run that went well."""
    notes, trusted = list(found.dataset.notes), found.record["n_trusted"]
    if config.noise and own_data(config):
        notes.append(f"{config.noise:.0%} of your training labels were flipped on purpose; --noise 0 takes them as they are")
    if trusted < FEW_TRUSTED:
        notes.append(
            f"there are {trusted} trusted rows: expect a short list of suspects, and results that change with the rows;"
            f" {FEW_TRUSTED} or more are better"
        )
    losses = {name: method["trusted"]["log_loss"] for name, method in found.record["methods"].items()}
    best = min(losses, key=losses.__getitem__)
    if best != "Repaired":
        notes.append(f"on the trusted rows, held out, {best} has a smaller log-loss than Repaired: use it")
    return notes


def save_repair(found: Found, folder: Path) -> None:
    """Write ranking.csv anew, and append the run to results.jsonl. Raises `InputError`."""
    write_csv(folder / "ranking.csv", *ranking(found))
    append_line(folder / "results.jsonl", {**found.record, **environment()})
