"""LIBSVM files as a data set whose rows lie in blocks, divided, and with the labels and columns, as the same files in memory."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.blocks import Consecutive, DiskVector, OnDisk
from data.classes import several
from data.dataset import FROM_TRAIN, NAMES, Dataset, Validation, divided
from data.errors import InputError
from data.files import refuse_endless
from data.libsvm import LibsvmFile, pieces
from data.sources import LIBSVM_SETS, Part, Source, as_released, beside, files_of_set

REMEDY = "leave out --block_rows and --dask"


class Summary(NamedTuple):
    """What is known of some lines of a LIBSVM file."""

    rows: int
    stored: int  # values
    least: int  # number of the first column in use, as the file counts them, or 1
    largest: int  # of the last
    spelling: dict[float, str]  # each label as it is first written, in the order of their first rows


class RowFile(NamedTuple):
    """A LIBSVM file in blocks."""

    x: Any  # rows that have `numbered`
    codes: np.ndarray  # (n,) int8, places of the labels in the summary's `spelling`
    summary: Summary


EMPTY = Summary(0, 0, 1, 0, {})


def summarize(read: LibsvmFile) -> Summary:
    """The summary of some lines."""
    values, first = np.unique(read.y, return_index=True)
    used = read.x.indices
    least, largest = (int(used.min()), int(used.max())) if len(used) else (EMPTY.least, EMPTY.largest)
    spelling = {float(values[place]): read.spelling[place] for place in np.argsort(first)}
    return Summary(len(read.y), len(used), min(EMPTY.least, least), largest, spelling)


def followed(path: Path, before: Summary, after: Summary) -> Summary:
    """The summary of lines of a file and of those behind them. Raises `InputError` for a third label."""
    spelling = before.spelling | {value: name for value, name in after.spelling.items() if value not in before.spelling}
    if len(spelling) > 2:
        raise InputError(
            f"{path}: has more than two classes ({', '.join(spelling.values())}), expected two in blocks; mend them, or {REMEDY}"
        )
    least, largest = min(before.least, after.least), max(before.largest, after.largest)
    return Summary(before.rows + after.rows, before.stored + after.stored, least, largest, spelling)


def codes(y: np.ndarray, spelling: Iterable[float]) -> np.ndarray:
    """The places of the labels y (n,) among the distinct ones, (n,) int8."""
    found = np.zeros(len(y), dtype=np.int8)
    for place, value in enumerate(spelling):
        found[y == value] = place
    return found


def on_disk(path: Path, block_rows: int) -> RowFile:
    """A LIBSVM file, read once from its text into files without a name (`data.blocks`). Raises `InputError`."""
    data, indices, ends = DiskVector(np.float64), DiskVector(np.int32), DiskVector(np.int64)
    summary, labels = EMPTY, bytearray()
    ends.append(np.zeros(1))
    for read in pieces(path):
        for vector, numbers in ((data, read.x.data), (indices, read.x.indices), (ends, read.x.indptr[1:] + summary.stored)):
            vector.append(numbers)
        summary = followed(path, summary, summarize(read))
        labels += codes(read.y, summary.spelling).tobytes()
    x = OnDisk(data, indices, ends, 0, summary.rows, 0, summary.largest + 1, block_rows)
    return RowFile(x, np.frombuffer(labels, dtype=np.int8), summary)


def load_in_blocks(
    name: str, data_dir: Path, seed: int, validation: Validation = FROM_TRAIN, *, read: Callable[[Path], RowFile]
) -> Dataset:
    """The LIBSVM file or set `name`, as `data.dataset.load` has it, but for rows that lie where `read` puts them.

    The rows of each part lie one behind another: none is drawn at random. Raises `InputError`.
    """
    if validation.part == "test":
        raise InputError(f"--validation test: draws rows at random, and rows in blocks keep their order; leave it out, or {REMEDY}")
    paths = _paths(name, data_dir)
    source = _source(paths, {role: read(path) for role, path in paths.items()})
    if name in LIBSVM_SETS:
        source = as_released(LIBSVM_SETS[name], source)
    if source.shuffle:
        raise InputError(
            f"--dataset {name}: has no test rows of its own, and rows in blocks are not shuffled: give FILE.t beside it, or"
            f" {REMEDY}"
        )
    return divided(source, name, seed, validation)


def _paths(name: str, data_dir: Path) -> dict[str, Path]:
    """The files of a set, by role."""
    if name in LIBSVM_SETS:
        return files_of_set(name, data_dir)
    path = Path(name)
    if name in NAMES or path.suffix == ".npz" or path.is_dir():
        raise InputError(f"--dataset {name}: is no LIBSVM file, expected one where rows are read in blocks; {REMEDY}")
    if not os.path.exists(name):  # noqa: PTH110 - False, not an error, for a name that no file could have
        raise InputError(f"--dataset {name}: no such file; expected a LIBSVM file, or one of {', '.join(LIBSVM_SETS)}")
    refuse_endless(path, "--dataset")
    return beside(path)


def _source(paths: dict[str, Path], files: dict[str, RowFile]) -> Source:
    """Files of the same columns and classes; of the two labels the smaller is class 0."""
    name = paths["train"]
    summaries = [file.summary for file in files.values()]
    first, largest = min(summary.least for summary in summaries), max(summary.largest for summary in summaries)
    stored = sum(summary.stored for summary in summaries)
    if largest > stored:
        raise InputError(f"{name}: has a column {largest} and {stored} values in all; number the columns closely, or {REMEDY}")
    for role, file in files.items():
        if not file.summary.rows:
            raise InputError(f"{paths[role]}: is empty; expected lines of the form 'label index:value ...'")
    spelling = files["train"].summary.spelling
    several(str(name), np.array(list(spelling)), list(spelling.values()))
    if not stored:
        raise InputError(f"{name}: has labels and no features; add features")
    places = {value: place for place, value in enumerate(sorted(spelling))}
    parts = {}
    for role, (x, found, summary) in files.items():
        strange = [label for value, label in summary.spelling.items() if value not in places]
        if strange:
            raise InputError(
                f"{paths[role]}: has the label {strange[0]}, which no training sample has; remove it, or add samples of it"
            )
        labels = np.array([places[value] for value in summary.spelling], dtype=np.int8)[found]
        parts[role] = Part(x.numbered(first, largest + 1 - first), labels, Consecutive(0, summary.rows))
    classes = tuple(spelling[value] for value in places)
    return Source(parts["train"], classes, parts.get("test"), parts.get("val"), shuffle="test" not in parts)
