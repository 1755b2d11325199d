"""A person's decisions on labels: the CSV file that the review page exports, or the JSON of Label Studio."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.dataset import Dataset
from data.errors import InputError
from data.files import refuse_endless
from data.noise import NoisyLabels
from run.identity import difference

DECIDED = "decided"  # also the name of the choice in Label Studio, and so of a column in what it exports
NEEDED = ("run", "index", "given", DECIDED)  # the page also writes suggested, by and when
AT_RANDOM = "drawn"  # a column that may be missing: 1 for a row that was drawn at random
EXPORT = "export it from the review page of this run (--audit)"


class Decided(NamedTuple):
    """Training labels after a person's decisions."""

    labels: np.ndarray  # (n,) the decided label if there is a decision, else the given one
    rows: np.ndarray  # (n,) bool, samples with a decision, which may be to keep the given label
    drawn: np.ndarray  # (n,) bool, those of them that the person got because they were drawn at random


def undecided(labels: np.ndarray) -> Decided:
    """Given labels (n,), none of them decided."""
    return Decided(labels, *np.zeros((2, len(labels)), dtype=bool))


def read_decisions(path: Path, run: str, dataset: Dataset, given: np.ndarray) -> Decided:
    """Read the decisions on the samples of a run from a CSV file, or from tasks of Label Studio with the same fields.

    Its columns: `run`, the run's key (`run.identity.run_key`); `index`, the 0-based row in the source; `given` and `decided`,
    labels as the source writes them; and `drawn`, which may be missing. given: (n,) the run's training labels. Raises `InputError`
    if a row belongs to another run or two rows decide the same sample.
    """
    places = {int(row): place for place, row in enumerate(dataset.train.rows)}
    classes = {name: place for place, name in enumerate(dataset.classes)}
    decided, (rows, drawn) = given.copy(), np.zeros((2, len(given)), dtype=bool)
    for where, cells in decision_cells(path):
        if cells["run"] != run:
            raise InputError(
                f"{where}: belongs to another run: {difference(cells['run'], run)}; give the data and the flags of that run"
            )
        place = _place(where, cells["index"], places)
        if rows[place]:
            raise InputError(f"{where}: index {cells['index']} appears twice, expected one decision for each sample; remove one")
        label, was = (_label(where, name, cells[name], classes) for name in ("decided", "given"))
        if was != given[place]:
            raise InputError(
                f"{where}: the given label of index {cells['index']} is {cells['given']}, but in the data it is"
                f" {dataset.classes[given[place]]}; {EXPORT}"
            )
        decided[place], rows[place], drawn[place] = label, True, is_drawn(cells)
    return Decided(decided, rows, drawn)


def is_drawn(cells: Mapping[str, str]) -> bool:
    """Whether a decision is on a row that was drawn at random."""
    return cells.get(AT_RANDOM, "") not in {"", "0"}


def count_decisions(decided: Decided, given: NoisyLabels, truth: np.ndarray) -> dict[str, int | None]:
    """How many labels were decided, how many of these changed, and how many are right; None without noise: it is not known.

    truth: (n,) labels before noise.
    """
    rows = decided.rows
    right = int((decided.labels == truth)[rows].sum()) if given.flipped.any() else None
    return {"labels": int(rows.sum()), "changed": int((decided.labels != given.labels).sum()), "right": right}


def _place(where: str, index: str, places: Mapping[int, int]) -> int:
    place = places.get(int(index)) if index.isascii() and index.isdigit() and len(index) < 19 else None
    if place is None:
        raise InputError(f"{where}: index '{index}' is not a training row of this run; {EXPORT}")
    return place


def _label(where: str, name: str, label: str, classes: Mapping[str, int]) -> int:
    if label not in classes:
        label = next((name for name in classes if same_label(name, label)), label)
    if label not in classes:
        known = ", ".join(list(classes)[:10]) + (", ..." if len(classes) > 10 else "")
        raise InputError(f"{where}: the {name} label '{label}' is not a class of the data, expected one of {known}; correct it")
    return classes[label]


def same_label(name: str, label: str) -> bool:
    """Whether a label is a class as a spreadsheet may have written it: +1 as 1, and =a, which it would compute, as '=a."""
    try:
        return float(name) == float(label)
    except ValueError:
        return label == f"'{name}"


def decision_cells(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Where each decision is, and its cells. Raises `InputError` if the file is not such a table."""
    refuse_endless(path, "--labels")
    try:
        text = path.read_bytes().decode("utf-8-sig")  # a spreadsheet puts a byte-order mark first
        return _tasks(path, json.loads(text)) if path.suffix == ".json" else _lines(path, text)
    except OSError as error:
        raise InputError(f"--labels {path}: cannot be read ({error.strerror}); {EXPORT}") from error
    except (ValueError, csv.Error) as error:
        kind = "JSON" if path.suffix == ".json" else "a CSV file in UTF-8"
        raise InputError(f"--labels {path}: is not {kind} ({error}); {EXPORT}") from error


def _lines(path: Path, text: str) -> list[tuple[str, dict[str, str]]]:
    """The rows of a CSV."""
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","  # some spreadsheets write semicolons
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines = [(reader.line_num, row) for row in reader if row]
    header = lines[0][1] if lines else []
    if len(set(header)) < len(header):
        raise InputError(f"--labels {path}: has two columns of the same name ({', '.join(header)}); {EXPORT}")
    if missing := [name for name in NEEDED if name not in header]:
        what = f"has no column {', '.join(missing)}" if lines else "is empty"
        raise InputError(f"--labels {path}: {what}, expected a CSV with {', '.join(NEEDED)}; {EXPORT}")
    if len(lines) == 1:
        raise InputError(f"--labels {path}: has no decisions, expected a row for each; {EXPORT}")
    for number, row in lines[1:]:
        if len(row) != len(header):
            raise InputError(f"{path} line {number}: has {len(row)} cells, expected {len(header)} as in its first line; {EXPORT}")
    return [(f"{path} line {number}", dict(zip(header, row, strict=True))) for number, row in lines[1:]]


def _tasks(path: Path, content: Any) -> list[tuple[str, dict[str, str]]]:
    """The tasks of Label Studio's export (JSON, or JSON-MIN) that have been decided. Tasks without a decision are passed over."""
    found = []
    for number, task in enumerate(content if isinstance(content, list) else [content], 1):
        where = f"{path} task {number}"
        if not isinstance(task, dict):
            raise InputError(f"{where}: is not a task, expected Label Studio's export; {EXPORT}")
        data = task.get("data", task)
        choices = _choices(task) if "annotations" in task else [data.get(DECIDED)]
        said = {str(choice) for choice in choices if choice}
        if missing := [name for name in NEEDED[:3] if name not in data]:
            raise InputError(f"{where}: has no {missing[0]} in its data, expected a task that --export label_studio has written")
        if len(said) > 1:
            raise InputError(f"{where}: has the labels {' and '.join(sorted(said))}, expected one; settle on one of them")
        if said:
            found.append((where, {**{name: str(data[name]) for name in NEEDED[:3]}, DECIDED: said.pop()}))
    if not found:
        raise InputError(f"--labels {path}: has no decisions, expected Label Studio's export of tasks that were labelled")
    return found


def _choices(task: dict[str, Any]) -> list[str]:
    """The labels that people chose in a task of Label Studio, but for cancelled ones."""
    results = [result for each in task["annotations"] if not each.get("was_cancelled") for result in each.get("result", [])]
    return [choice for result in results if result.get("from_name") == DECIDED for choice in result["value"]["choices"]]
