"""A data set by name or path, cut into training, validation and test rows."""

import os
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from data import images, sources
from data.errors import InputError
from data.files import refuse_endless
from data.sources import Part, Source
from data.streams import generator

OWN_VALIDATION = (
    "the validation labels are trusted, and {count:,} of your own {part} rows were taken for it, which are not {use} themselves;"
    " better give rows that you have checked as FILE.val, as x_val and y_val, or in val/"
)
FROM_TEST = 100  # rows [paper], where none are asked for; half of the test rows if they are fewer than twice that

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


class Validation(NamedTuple):
    """Which rows the validation set is made of, where the source has none of its own."""

    part: Literal["train", "test"] = "train"  # the last of the training rows, or some of the test rows, drawn at random
    rows: int | None = None  # how many; None: 30% of the training rows, 100 of the test rows


FROM_TRAIN = Validation()


def load(name: str, data_dir: Path, seed: int, validation: Validation = FROM_TRAIN) -> Dataset:
    """The data set `name`: one of `NAMES`, or the path of a LIBSVM file, an `.npz` or an image folder.

    data_dir: where public sets lie, and where they are downloaded to. Raises `InputError`.
    """
    return divided(_source(name, data_dir), name, seed, validation)


def divided(source: Source, name: str, seed: int, validation: Validation) -> Dataset:
    """The data set `name`, from its source. Raises `InputError`."""
    if source.validation and validation.rows:
        raise InputError(
            f"--n_validation {validation.rows}: {name} has validation rows of its own, all of which are used; leave it out"
        )
    dataset = divide(source, name, generator(seed, "split"), validation)
    if name in NAMES or source.validation:
        return dataset
    part, use = ("training", "examined") if validation.part == "train" else ("test", "tested on")
    note = OWN_VALIDATION.format(count=len(dataset.validation.labels), part=part, use=use)
    return dataset._replace(notes=(note, *dataset.notes))


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
    refuse_endless(path, "--dataset")
    return sources.npz_file(path) if path.suffix == ".npz" else sources.libsvm_file(path)


def divide(source: Source, name: str, rng: np.random.Generator, asked: Validation = FROM_TRAIN) -> Dataset:
    """Cut a source: its own test rows, else the last of train; its own validation rows, else what is `asked`."""
    n = len(source.train.labels)
    order = rng.permutation(n) if source.shuffle else None
    n_train = n if source.test else n - n // 5 if source.n_train is None else source.n_train
    n_fit = n_train if source.validation or asked.part == "test" else n_train - _last(n_train, asked.rows)
    cuts = slice(n_fit), slice(n_fit, n_train), slice(n_train, n)
    train, last, test = (_take(source.train, rows if order is None else order[rows]) for rows in cuts)
    validation, test = source.validation or last, source.test or test
    if asked.part == "test" and not source.validation:
        validation, test = from_test(test, asked.rows, rng)
    parts = {"training": train, "validation": validation, "test": test}
    for role, part in parts.items():
        if not len(part.labels):
            remedy = f"give a smaller --n_validation than {asked.rows}" if asked.rows else "add rows"
            raise InputError(f"--dataset {name}: {n} rows leave no {role} rows; {remedy}")
    notes = tuple(
        f"the {role} rows are all of class {source.classes[part.labels[0]]}: is the file sorted?"
        for role, part in parts.items()
        if len(np.unique(part.labels)) == 1
    )
    absent = [source.classes[label] for label in np.setdiff1d(train.labels, validation.labels)]
    if absent and len(source.classes) > 2:
        notes = (*notes, f"no validation row is of class {', '.join(absent[:5])}: little can be said of such labels; add some")
    return Dataset(train, validation, test, source.classes, source.files, source.shape, source.notes + notes)


def _last(n: int, count: int | None) -> int:
    """How many of n training rows are validation rows."""
    return n - n * 7 // 10 if count is None else min(count, n)


def from_test(test: Part, count: int | None, rng: np.random.Generator) -> tuple[Part, Part]:
    """Validation rows drawn at random from the test rows, and the others [paper]."""
    n = len(test.labels)
    order = rng.permutation(n)
    taken = min(FROM_TEST, n // 2) if count is None else min(count, n)
    return _take(test, np.sort(order[:taken])), _take(test, np.sort(order[taken:]))


def _take(part: Part, rows: np.ndarray | slice) -> Part:
    return Part(part.x[rows], part.labels[rows], part.rows[rows])
