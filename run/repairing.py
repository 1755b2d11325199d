"""A run of RDIA by the protocol auto: everything is chosen by cross-fitting over trusted rows, and every training row is ranked."""

import importlib
from math import ceil, isnan
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np

from data.dataset import FROM_TRAIN, OWN_ROWS, Dataset, load, with_descriptions
from data.errors import InputError
from data.libsvm import read_libsvm
from data.libsvm_parts import Read
from data.noise import NoisyLabels, flip_share
from data.public import ROW_SETS
from data.streams import generator
from influence.rows import in_memory, is_matrix, rows_here
from models.auto import repaired_or_examined
from models.examine import MORE_LIKELY, Examined
from models.metrics import evaluate, share
from models.pool import suggestions
from models.repair import FIT_ROWS, LEAST_TRUSTED, FittedMethod, RepairData, Repaired
from run.corrected import save_corrected
from run.decisions import Decided, count_decisions, read_decisions
from run.identity import run_key
from run.rdia import Config
from run.records import Record, append_line, environment, table_of, write_csv
from run.stages import Stages

REPAIR_STAGES = ("import", "load", "repair", "evaluate")
UNSURE = "unsure"
RANKING = "ranking.csv"
FIRST_SUSPECTS, WIDTH = 5, 90  # suspects that are printed, and characters of what each is
LEAST_EXAMINED = 10  # training rows
FEW_TRUSTED = 100  # rows below which a note says what can be expected


class Found(NamedTuple):
    """What a run by the protocol auto found."""

    record: Record  # the object that --json prints
    dataset: Dataset
    given: NoisyLabels  # training labels after noise
    decided: Decided | None  # by a person
    data: RepairData  # with the labels that were decided in place of the given ones
    repaired: Repaired | Examined  # without trusted rows
    listed: np.ndarray  # (n,) bool, the suspects at the level --fdr
    key: str  # of the run, for decisions on its labels; of rows on Dask workers, for which there are none, empty


def run_repair(config: Config, stages: Stages, read: Read = read_libsvm) -> Found:
    """Load, corrupt where asked for, repair, list, evaluate. Raises `InputError`, `SolverError`."""
    with stages("import"):
        importlib.import_module("scipy.optimize")
    with stages("load"):
        asked = OWN_ROWS if own_data(config) else FROM_TRAIN
        dataset = load(config.dataset, config.data_dir, config.seed, asked, read, config.columns, config.size, stages.within)
        classes, trusted, n = len(dataset.classes), dataset.validation, len(dataset.train.labels)
        if n < LEAST_EXAMINED:
            raise InputError(
                f"--dataset {config.dataset}: {n} training rows leave no folds, expected {LEAST_EXAMINED} or more; add rows"
            )
        given = flip_share(dataset.train.labels, config.noise, generator(config.seed, "noise"), classes)
        key = repair_key(config, dataset, given) if is_matrix(dataset.train.x) else ""
        decided = read_decisions(config.labels, key, dataset, given.labels) if config.labels else None
        labels, checked, _ = decided or (given.labels, None, None)
        x_trusted = rows_here(trusted.x, np.arange(len(trusted.labels)))
        data = RepairData(dataset.train.x, labels, x_trusted, trusted.labels, classes, checked=checked, before=given.labels)
        if decided and decided.drawn.sum() >= LEAST_TRUSTED and (~decided.rows).sum() >= LEAST_EXAMINED:
            data = data.trusting(np.flatnonzero(decided.drawn))
    with stages("repair"):
        repaired = repaired_or_examined(data, generator(config.seed, "repair"), stages.within)
    with stages("evaluate"):
        found = Found({}, dataset, given, decided, data, repaired, repaired.suspects(config.fdr), key)
        methods = {name: method_metrics(method, dataset, data.trusted) for name, method in methods_of(repaired).items()}
    return found._replace(record={**repair_record(config, found, methods), "seconds": stages.seconds})


def repair_key(config: Config, dataset: Dataset, given: NoisyLabels) -> str:
    """The key of the run: its data, and the settings that its suggestions depend on."""
    settings = {name: getattr(config, name) for name in ("protocol", "noise", "seed")}
    return run_key({"dataset": Path(config.dataset).resolve().name, **settings}, dataset, given.labels)


def methods_of(repaired: Repaired | Examined) -> dict[str, FittedMethod]:
    """The fitted models by name, with their held-out logits of the trusted rows; of an examination it has none."""
    if isinstance(repaired, Examined):
        none = np.zeros((0, len(repaired.weights)))
        return {"ERM": FittedMethod(repaired.plain, none), "Repaired": FittedMethod(repaired.weights, none)}
    return repaired.methods


def own_data(config: Config) -> bool:
    """Whether the data is a user's own."""
    return config.dataset not in ROW_SETS


def method_metrics(method: FittedMethod, dataset: Dataset, trusted: np.ndarray) -> dict[str, Any]:
    """Metrics on the trusted rows, held out, and on the test rows, if there are any. trusted: (m,) labels."""
    found: dict[str, Any] = {}
    if len(method.held_out):
        found["trusted"] = evaluate(two_class(method.held_out), trusted)._asdict()
    if len(dataset.test.labels):
        found["test"] = evaluate(two_class(dataset.test.x @ method.weights.T), dataset.test.labels)._asdict()
    return found


def two_class(logits: np.ndarray) -> np.ndarray:
    """Logits (n, K) as `models.metrics.evaluate` takes them: of two classes the difference, (n,)."""
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits


def repair_record(config: Config, found: Found, methods: Record) -> Record:
    """What --json prints, but for the seconds."""
    dataset, given, listed = found.dataset, found.given, found.listed
    known, best, wrong = bool(given.flipped.any()), found.repaired.labels.argmax(axis=1), found.repaired.wrong_labels(found.data)
    decided = {"decided": count_decisions(found.decided, given, dataset.train.labels)} if found.decided else {}
    return {
        "protocol": "auto",
        "dataset": config.dataset,
        "noise": config.noise,
        "seed": config.seed,
        "fdr": None if isinstance(found.repaired, Examined) else config.fdr,
        "n_train": len(given.labels),
        "n_trusted": len(found.data.trusted),
        "n_test": len(dataset.test.labels),
        "classes": len(dataset.classes),
        "wrong_labels": {name: None if isnan(value) else value for name, value in wrong._asdict().items()},
        "listed": int(listed.sum()),
        "precision": share(given.flipped, listed) if known else None,
        "recall": share(listed, given.flipped),
        "right": share(best == dataset.train.labels, listed) if known else None,
        **decided,
        "methods": methods,
    }


def suggested_places(found: Found) -> np.ndarray:
    """The suggested label of each training row, (n,), its present one where no other is suggested."""
    data, repaired = found.data, found.repaired
    other = suggestions(repaired.labels, repaired.probabilities, data.given)
    return np.where(other < 0, data.given, other)


class Suggested(NamedTuple):
    """What is suggested for each of n training rows."""

    names: np.ndarray  # (n,) the suggested label, or the present one, or `UNSURE`
    another: np.ndarray  # (n,) bool: a label other than the present one
    unsure: np.ndarray  # (n,) bool: the present label is not the likeliest, and no other is likely enough
    p: np.ndarray  # (n,) probability of the likeliest label


def suggested_labels(found: Found) -> Suggested:
    """The suggestions, by name."""
    labels, now, suggested = found.repaired.labels, found.data.given, suggested_places(found)
    names, another = np.array(found.dataset.classes, dtype=object)[suggested], suggested != now
    unsure = ~another & (labels.argmax(axis=1) != now)
    names[unsure] = UNSURE
    return Suggested(names, another, unsure, labels.max(axis=1))


def most_suspect(found: Found) -> np.ndarray:
    """The places of the training rows, most surely wrong first; those that a person decided are last."""
    return np.argsort(-found.repaired.p_wrong, kind="stable")


def ranking(found: Found, most: int | None = None) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of ranking.csv, every training row. most: so many of its rows."""
    repaired, dataset, order, suggested = found.repaired, found.dataset, most_suspect(found)[:most], suggested_labels(found)
    columns = {
        "index": dataset.train.rows[order],
        "label": np.array(dataset.classes)[found.data.given[order]],
        "p_wrong": repaired.p_wrong[order],
        **({} if isinstance(repaired, Examined) else {"phi": repaired.phi[order]}),
        "self_confidence": repaired.self_confidence[order],
        **({} if isinstance(repaired, Examined) else {"trusted_confidence": repaired.trusted_confidence[order]}),
        "suggested_label": suggested.names[order],
        "p_suggested": suggested.p[order],
        "listed": found.listed[order].astype(int),
    }
    return table_of(with_descriptions(dataset, columns))


def first_suspects(found: Found) -> list[str]:
    """The first of the ranking, a line each: the row, its label and the suggested one, and of a table or pictures what it is.

    None where a person has decided every label.
    """
    if not found.repaired.p_wrong.any():
        return []
    header, rows = ranking(found, FIRST_SUSPECTS)
    about = header[header.index("listed") + 1 :]
    lines, others = ["most surely wrong:"], suggested_labels(found).another[most_suspect(found)]
    for another, row in zip(others, (dict(zip(header, cells, strict=True)) for cells in rows), strict=False):
        instead = f", rather {row['suggested_label']} ({row['p_suggested']:.3f})" if another else ""
        what = shorten(", ".join(f"{name} {row[name]}" for name in about if row[name] != ""), WIDTH, placeholder=" ...")
        lines.append(f"  row {row['index']}: {row['label']}{instead}   {what}".rstrip())
    return lines


def suggested_columns(found: Found) -> dict[str, np.ndarray]:
    """What corrected.csv says of each training row, (n,) by name.

    decision: "change" for a suspect with another label to suggest, if there are trusted rows to promise by; "look" for other labels
    that are suspects or more likely wrong than right; else "keep"; of a label that a person decided "keep" or "change" by that.
    """
    suggested, changed = suggested_labels(found), found.data.given != found.given.labels
    promised = found.listed & (not isinstance(found.repaired, Examined))
    change = changed | (promised & suggested.another)
    decision = np.where(change, "change", np.where(found.listed | (found.repaired.p_wrong > MORE_LIKELY), "look", "keep"))
    return {"suggested_label": suggested.names, "p_wrong": np.where(changed, 1.0, found.repaired.p_wrong), "decision": decision}


def repair_notes(found: Found, config: Config, drawing: bool = False) -> list[str]:
    """What a user should know of a run that went well. drawing: a page of rows drawn at random is written."""
    notes, trusted = list(found.dataset.notes), found.record["n_trusted"]
    if config.noise and own_data(config):
        notes.append(f"{config.noise:.0%} of your training labels were flipped on purpose; --noise 0 takes them as they are")
    if len(found.data.given) > FIT_ROWS:
        rows = f"{FIT_ROWS:,} of the {len(found.data.given):,} training rows"
        beside = "" if in_memory(found.dataset.train.x) else " and of the methods beside it"
        notes.append(f"the fits of the repair{beside} take at most {rows} each, at random; every row is examined")
    if drawn := trusted - len(found.dataset.validation.labels):
        notes.append(f"{drawn} of the rows that you decided were drawn at random: they are trusted rows")
    if isinstance(found.repaired, Examined):
        if config.fdr != Config._field_defaults["fdr"]:
            notes.append(
                f"--fdr {config.fdr:g} is not used, as it needs trusted rows: the suspects are more likely wrong than right"
            )
        return [*notes, *judged_by_none(trusted, len(found.data.given), drawing)]
    if trusted < FEW_TRUSTED:
        notes.append(
            f"there are {trusted} trusted rows: expect a short list of suspects, and results that change with the rows;"
            f" {FEW_TRUSTED} or more are better"
        )
    if not found.listed.any():
        likely, least = int((found.repaired.p_wrong > MORE_LIKELY).sum()), shortest_list(found, config.fdr)
        notes.append(
            f"no label can be listed with this promise, but {likely:,} are more likely wrong than right: look through the ranking"
            f" from its top, as far as it pays; with {trusted} trusted rows a list has {least:,} labels or more"
        )
    losses = {name: method["trusted"]["log_loss"] for name, method in found.record["methods"].items()}
    best = min(losses, key=losses.__getitem__)
    if best != "Repaired":
        notes.append(f"on the trusted rows, held out, {best} has a smaller log-loss than Repaired")
    return notes


def shortest_list(found: Found, fdr: float) -> int:
    """The fewest labels that can be listed: a p-value is 1 / (m + 1) at least, and that of the last of R is fdr R / n at most."""
    return ceil(len(found.data.given) / (fdr * (found.record["n_trusted"] + 1)))


def judged_by_none(trusted: int, rows: int, drawing: bool) -> list[str]:
    """The notes of an examination, and how to get trusted rows that can judge."""
    of_one_class, few = trusted >= LEAST_TRUSTED, min(FEW_TRUSTED, rows // 2)
    if drawing:
        advice = "decide the rows of the page, and give the file that it exports to --labels"
    elif of_one_class:
        advice = "add trusted rows of another class"
    else:
        advice = (
            f"trusted rows show more: check {few}, drawn at random, on a page (--audit page.html --draw {few}), or give rows that"
            " you trust as NAME.val.csv, FILE.val, x_val and y_val, or in val/"
        )
    count = f"{trusted} trusted rows{' of one class' if of_one_class else ''}"
    return [f"there are {count}: the labels are examined by cross-fitting alone, and nothing is promised of the suspects", advice]


def save_repair(found: Found, folder: Path) -> None:
    """Write ranking.csv and the corrected table anew, and append the run to results.jsonl. Raises `InputError`."""
    write_csv(folder / RANKING, *ranking(found))
    save_corrected(found.dataset, suggested_columns(found), folder)
    append_line(folder / "results.jsonl", {**found.record, **environment()})
