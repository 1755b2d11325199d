"""Labelled data as it is read: numbers in the shape and type that their source has them, in the source's order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.errors import InputError

PARTS = {  # what a part may be called
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "trusted"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
MOST_CLASSES = 1_000  # more distinct labels than this are measurements
MOST_FRACTIONS = 20  # the same, if some labels are fractions
FEW_CLASSES = 20  # fewer are never ids
SHOWN_CLASSES = 5  # that an error names


class Part(NamedTuple):
    """Labelled samples."""

    x: Any  # (n, ...): an array, a CSR matrix, or rows that lie elsewhere (`influence.rows`)
    labels: np.ndarray  # (n,) integers, places in the source's classes
    rows: np.ndarray  # (n,) 0-based row in the source


class Source(NamedTuple):
    """Labelled data as its source has it."""

    train: Part
    classes: tuple[str, ...]  # how the source writes each label
    test: Part | None = None  # None: it is to be cut from train
    validation: Part | None = None  # None: it is to be cut from train or test
    shuffle: bool = False  # whether train is shuffled before it is cut
    n_train: int | None = None  # how many of train's rows remain where test is None; None: all but the last 20%
    files: tuple[str, ...] | None = None  # (n,) the picture file of each row of train
    texts: tuple[str, ...] | None = None  # (n,) the text of each row of train, where its features are a vector
    beside: Path | None = None  # the folder that `files` lie in, if the features are vectors, which say nothing to a person
    notes: tuple[str, ...] = ()  # what whoever uses the data should know
    columns: np.ndarray | None = None  # (d,) the number of each column in a LIBSVM file
    table: Any = None  # the user's table (`data.table.Table`), if it is one


class Labelled(NamedTuple):
    """Samples with the labels that the source gives them."""

    x: Any  # (n, ...)
    y: np.ndarray  # (n,) numbers or strings


def whole(x: Any, labels: np.ndarray) -> Part:
    """All rows of a source. labels: (n,) bool or integers."""
    return Part(x, labels.astype(np.int64), np.arange(len(labels)))


def source_of(where: Mapping[str, str], parts: Mapping[str, Labelled], spelling: Sequence[str]) -> Source:
    """A source of parts "train", "test" and "val"; without test rows, train is shuffled before some are cut.

    where: what an error calls each part. spelling: one per distinct label of train, ascending. Raises `InputError` unless train
    has two classes or more and at least one feature, and the other parts have no further classes.
    """
    values = np.unique(parts["train"].y)
    check_classes(where["train"], values, spelling)
    if len(values) > max(FEW_CLASSES, len(parts["train"].y) // 2):
        what = f"has {len(values):,} classes in {len(parts['train'].y):,} rows, expected several rows of a class"
        raise InputError(f"{where['train']}: {what}; are these ids? give the labels")
    if not int(np.prod(parts["train"].x.shape[1:])):
        raise InputError(f"{where['train']}: has labels and no features; add features")
    built = {role: whole(x, label_places(where[role], y, values)) for role, (x, y) in parts.items()}
    return Source(built["train"], tuple(spelling), built.get("test"), built.get("val"), shuffle="test" not in built)


def check_classes(where: str, values: np.ndarray, spelling: Sequence[str]) -> None:
    """Raise `InputError` unless there are two classes or more, and not so many that they are measurements.

    values: the distinct labels; spelling: how the source writes them.
    """
    most = MOST_FRACTIONS if values.dtype.kind == "f" and (values % 1).any() else MOST_CLASSES
    if not 2 <= len(values) <= most:
        shown = ", ".join(spelling[:SHOWN_CLASSES]) + (", ..." if len(spelling) > SHOWN_CLASSES else "")
        what = f"has one class ({shown})" if len(values) == 1 else f"has {len(values)} classes ({shown})"
        remedy = "add samples of another class" if len(values) == 1 else "merge some classes, labels are not measurements"
        raise InputError(f"{where}: {what}, expected 2 to {most:,}; {remedy}")


def label_places(where: str, y: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The place of each label y (n,) among the training labels' distinct `values`, ascending, (n,).

    Raises `InputError` for a label that no training sample has.
    """
    strange = y[~np.isin(y, values)]
    if len(strange):
        label = f"{strange[0]:.17g}" if strange.dtype.kind == "f" else strange[0]
        raise InputError(f"{where}: has the label {label}, which no training sample has; remove it, or add samples of it")
    return np.searchsorted(values, y)
