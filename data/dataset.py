"""A data set by name or path, cut into training, validation and test rows."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data import images, sources
from data.errors import InputError
from data.sources import Part, Source
from data.streams import generator

OWN_VALIDATION = (
    "the validation labels are trusted, and 30% of your own training rows were taken for it, which are not examined themselves;"
    " better give rows that you have checked as FILE.val, as x_val and y_val, or in val/"
)

BUILT_IN = {"wdbc": sources.wdbc, "digits": sources.digits, "digits10": sources.digits10}
TORCHVISION_SETS = ("mnist", "mnist10", "cifar10", "svhn")
NAMES = (*BUILT_IN, *sources.LIBSVM_SETS, *TORCHVISION_SETS)


class Dataset(NamedTuple):
    """Labelled rows in three parts that share none."""

    train: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]  # how the source writes each label
    files: tuple[str, ...] | None  # the picture file of each source row, for an image folder
    shape: tuple[int, ...] | None  # of one picture (`data.sources.Source`), None if the rows are none
    notes: tuple[str, ...]  # what whoever uses the data should know


def load(name: str, data_dir: Path, seed: int) -> Dataset:
    """The data set `name`: one of `NAMES`, or the path of a LIBSVM file, an `.npz` or an image folder.

    data_dir: where public sets lie, and where they are downloaded to. Raises `InputError`.
    """
    source = _source(name, data_dir)
    if name not in NAMES and not source.validation:
        source = source._replace(notes=(*source.notes, OWN_VALIDATION))
    return divide(source, name, generator(seed, "split"))


def is_here(name: str, data_dir: Path) -> bool:
    """Whether one of `NAMES` can be loaded without a download."""
    if name in sources.LIBSVM_SETS:
        return sources.libsvm_set_is_here(name, data_dir)
    return name in BUILT_IN or images.is_here(name.removesuffix("10") if name == "mnist10" else name, data_dir)


def _source(name: str, data_dir: Path) -> Source:
    if name in BUILT_IN:
        return BUILT_IN[name]()
    if name in sources.LIBSVM_SETS:
        return sources.libsvm_set(name, data_dir)
    if name in TORCHVISION_SETS:
        return sources.torchvision_set(name, data_dir)
    path = Path(name)
    if not os.path.exists(name):  # noqa: PTH110 - False, not an error, for a name that no file could have
        raise InputError(f"--dataset {name}: no such data set or file; expected a path, or one of {', '.join(NAMES)}")
    if path.is_dir():
        return sources.picture_folder(path)
    return sources.npz_file(path) if path.suffix == ".npz" else sources.libsvm_file(path)


def divide(source: Source, name: str, rng: np.random.Generator) -> Dataset:
    """Cut a source: its own test rows, else the last of train; validation is the last 30% of what remains of train."""
    n = len(source.train.labels)
    order = rng.permutation(n) if source.shuffle else np.arange(n)
    n_train = n if source.test else n - n // 5 if source.n_train is None else source.n_train
    n_fit = n_train if source.validation else n_train * 7 // 10
    train, validation, test = (
        _take(source.train, order[rows]) for rows in (slice(n_fit), slice(n_fit, n_train), slice(n_train, n))
    )
    validation, test = source.validation or validation, source.test or test
    parts = {"training": train, "validation": validation, "test": test}
    for role, part in parts.items():
        if not len(part.labels):
            raise InputError(f"--dataset {name}: {n} rows leave no {role} rows; add rows")
    notes = tuple(
        f"the {role} rows are all of class {source.classes[part.labels[0]]}: is the file sorted?"
        for role, part in parts.items()
        if len(np.unique(part.labels)) == 1
    )
    absent = [source.classes[label] for label in np.setdiff1d(train.labels, validation.labels)]
    if absent and len(source.classes) > 2:
        notes = (*notes, f"no validation row is of class {', '.join(absent[:5])}: little can be said of such labels; add some")
    return Dataset(train, validation, test, source.classes, source.files, source.shape, source.notes + notes)


def _take(part: Part, rows: np.ndarray) -> Part:
    return Part(part.x[rows], part.labels[rows], part.rows[rows])
