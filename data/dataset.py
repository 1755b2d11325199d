"""A data set by name or path, cut into training, validation and test samples: rows for linear models, pictures for networks."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import scipy.sparse as sp

from data.errors import InputError
from data.files import refuse_endless
from data.libsvm import read_libsvm
from data.libsvm_parts import Read, libsvm_file
from data.matrix import Features, apart, compact, rows_among
from data.npz import npz_file
from data.pictures import picture_folder
from data.public import LIBSVM_SETS, PICTURE_SETS, ROW_SETS, picture_set, row_set
from data.source import Part, Source
from data.streams import generator
from data.table import Table, TableColumns, is_table, own_columns, shown, table_file
from data.telling import Progress, silent

OWN_VALIDATION = (
    "{count:,} of your own {part} rows are used for validation: their labels count as true, and they are not {use} themselves;"
    " better give rows that you have checked as NAME.val.csv, FILE.val, x_val and y_val, or in val/"
)
OWN_TEST = (
    "{count:,} of your own rows are used as test rows, with their labels as given, and are not examined; give test rows as"
    " NAME.test.csv, FILE.t, x_test and y_test, or in test/"
)
LEAST_OF_CLASS = 5  # training rows
RARE_BESIDE = 5  # a class of fewer is rare beside one with so many times as many
ONE_ARRAY = "is one array; save x_train and y_train in an .npz with numpy.savez"
FROM_TEST = 100  # rows [paper], where none are asked for; half of the test rows if they are fewer than twice that
LARGEST_PIXEL = float(np.finfo(np.float32).max)


class Dataset(NamedTuple):
    """Labelled samples in three parts that share none."""

    train: Part
    validation: Part  # no samples for networks that are trained by RDIA-LS
    test: Part
    classes: tuple[str, ...]  # how the source writes each label
    files: tuple[str, ...] | None  # the picture file of each source row, for an image folder
    shape: tuple[int, ...] | None  # of one picture, (h, w), (h, w, 3) or (channels, h, w); None if the samples are not pictures
    notes: tuple[str, ...]  # what whoever uses the data should know
    features: tuple[str, ...] | None = None  # names of the features, of a table
    columns: np.ndarray | None = None  # (d,) the numbers that a LIBSVM file has for its columns
    table: Table | None = None  # the user's, if it is one; a row of a part is a place in its frame
    texts: tuple[str, ...] | None = None  # the text of each source row, where its features are a vector
    beside: Path | None = None  # the folder that `files` lie in, if the features are vectors, which say nothing to a person
    noisy_test: bool = False  # whether the test rows were taken from a user's training rows, with their labels as given


Parted = TypeVar("Parted", Source, Dataset)


class Validation(NamedTuple):
    """Which rows the validation set is made of, where the source has none of its own."""

    # The last training rows, test rows drawn at random, no rows at all, or the source's own alone, as its test rows then are.
    part: Literal["train", "test", "none", "own"] = "train"
    rows: int | None = None  # how many; None: 30% of the training rows, 100 of the test rows


FROM_TRAIN = Validation()
NO_VALIDATION = Validation("none")
OWN_ROWS = Validation("own")


def load(
    name: str,
    data_dir: Path,
    seed: int,
    validation: Validation = FROM_TRAIN,
    read: Read = read_libsvm,
    columns: TableColumns = TableColumns(),  # noqa: B008 - it cannot be changed
    size: int | None = None,
    progress: Progress = silent,
) -> Dataset:
    """The data set `name` as rows: one of `ROW_SETS`, or the path of a table, a LIBSVM file, an `.npz` or a folder of pictures.

    data_dir: where public sets lie, and where they are downloaded to. read: how LIBSVM files are read. columns: of a table. size:
    of a side of each picture, in pixels. progress: of reading pictures. Raises `InputError`.
    """
    source = named(name, size, lambda: row_set(name, data_dir, read)) if name in ROW_SETS else None
    source = source or own_source(name, ROW_SETS, read, columns, size, progress)
    shape = picture_shape(source.train.x)
    cuts = cut(viewed(source, as_rows), name, seed, validation, own=name not in ROW_SETS)
    dataset = cuts._replace(shape=shape, columns=source.columns, texts=source.texts, beside=source.beside)
    if source.table:
        dataset = encoded_parts(dataset, name, columns)._replace(table=source.table)
    return dataset if name in ROW_SETS else dataset._replace(notes=(*dataset.notes, *comparison_notes(dataset)))


def load_pictures(name: str, data_dir: Path, seed: int, size: int | None = None, progress: Progress = silent) -> Dataset:
    """The data set `name` as pictures for networks: one of `PICTURE_SETS`, or the path of an `.npz` or a folder of pictures."""
    if name not in PICTURE_SETS and Path(name).is_file() and Path(name).suffix not in {".npz", ".npy"}:
        raise InputError(f"--dataset {name}: is neither an .npz file nor a folder of pictures; use RDIA.py for other files")
    source = named(name, size, lambda: picture_set(name, data_dir)) if name in PICTURE_SETS else None
    source = source or own_source(name, PICTURE_SETS, size=size, progress=progress)
    cuts = cut(source, name, seed, NO_VALIDATION, own=name not in PICTURE_SETS)
    del source  # many pictures fit into memory twice, and not three times
    dataset = viewed(cuts, as_pictures)
    if name in PICTURE_SETS:
        return dataset
    return dataset._replace(notes=(*dataset.notes, *comparison_notes(dataset)))


def named(name: str, size: int | None, read: Callable[[], Source]) -> Source:
    """A data set by name, with a note if a file or folder here has that name too. Raises `InputError`."""
    if size:
        raise InputError(
            f"--size {size}: is for a folder of pictures, and {name} is a data set by name; give ./{name} for a folder"
        )
    source = read()
    if not os.path.exists(name):  # noqa: PTH110 - False, not an error, for a name that no file could have
        return source
    note = f"{name} is the public data set of that name; for the file or folder that is here give ./{name}"
    return source._replace(notes=(*source.notes, note))


def is_libsvm(name: str) -> bool:
    """Whether a data set is read from LIBSVM files: a set of the LIBSVM page, or a path that is of no other kind."""
    other = Path(name).suffix == ".npz" or is_table(Path(name)) or os.path.isdir(name)  # noqa: PTH112
    return name in LIBSVM_SETS or not (name in ROW_SETS or other)


def own_source(
    name: str,
    known: tuple[str, ...],
    read: Read = read_libsvm,
    columns: TableColumns | None = None,
    size: int | None = None,
    progress: Progress = silent,
) -> Source:
    """A user's file or folder. Raises `InputError`."""
    path = Path(name)
    if not os.path.exists(name):  # noqa: PTH110 - False, not an error, for a name that no file could have
        raise InputError(f"--dataset {name}: no such data set or file; expected a path, or one of {', '.join(known)}")
    if path.is_dir():
        return picture_folder(path, size, progress)
    if size:
        raise InputError(f"--size {size}: is for a folder of pictures, and --dataset {name} is a file; leave it out")
    refuse_endless(path, "--dataset")
    if path.suffix == ".npy":
        raise InputError(f"--dataset {name}: {ONE_ARRAY}")
    if is_table(path):
        return table_file(path, columns or TableColumns())
    return npz_file(path) if path.suffix == ".npz" else libsvm_file(path, read)


def viewed(parted: Parted, view: Callable[[Any], Any]) -> Parted:
    """The same with the samples of each part in another form."""
    parts = {name: getattr(parted, name) for name in ("train", "test", "validation")}
    return parted._replace(**{name: part and part._replace(x=view(part.x)) for name, part in parts.items()})


def comparison_notes(dataset: Dataset) -> list[str]:
    """Notes on validation and test rows that are training rows too, or on another scale."""
    found = []
    for role, part in (("validation", dataset.validation), ("test", dataset.test)):
        if isinstance(part.x, np.ndarray | sp.csr_array) and len(part.labels):
            scales = apart(*map(in_rows, (part.x, dataset.train.x))) if part.x.dtype.kind == "f" else None
            if scales:
                words = f"{scales.name} of {scales.of_rows:.3g}, the training rows {scales.of_others:.3g}"
                found.append(f"the {role} rows have {words}: are both scaled alike?")
            count = int(rows_among(part.x, dataset.train.x).sum())
            if count:
                others = f"{count:,} of the {len(part.labels):,} {role} rows have the features of a training row"
                found.append(f"{others}: if they are the same rows, take them out of the training rows")
    if isinstance(dataset.test.x, np.ndarray | sp.csr_array) and len(dataset.test.labels) and len(dataset.validation.labels):
        count = int(rows_among(dataset.validation.x, dataset.test.x).sum())
        if count:
            found.append(f"{count:,} of the validation rows have the features of a test row: what is said of test rows is too good")
    return found


def in_rows(x: Features) -> Features:
    """Pictures (n, ...) as rows (n, d); rows as they are."""
    return x.reshape(len(x), -1) if x.ndim > 2 else x


def encoded_parts(dataset: Dataset, name: str, columns: TableColumns) -> Dataset:
    """The rows of a table as features, decided and fitted on the training rows. Raises `InputError`."""
    from data.encoding import TableEncoder

    encoder = TableEncoder(columns.text, columns.ignore)
    try:
        train = dataset.train._replace(x=compact(encoder.fit_transform(dataset.train.x.frame)))
    except ValueError as error:
        raise InputError(f"--dataset {name}: {error}; correct the table, or give --text_columns or --ignore_columns") from error
    others = {role: getattr(dataset, role) for role in ("validation", "test")}
    for role, part in others.items():
        try:
            others[role] = part._replace(x=compact(encoder.transform(part.x.frame)))
        except ValueError as error:
            remedy = "write it as there, or leave the column out of all by --ignore_columns"
            raise InputError(f"--dataset {name}: in the {role} rows {error}; {remedy}") from error
    left = [f"the column {column} {why}; it is left out" for column, why in encoder.left_out_.items()]
    left += [f"the numbers of the column {column} are read without {unit}" for column, unit in encoder.units_.items()]
    left += [f"the dates of the column {column} are read as {order}" for column, order in encoder.orders_.items()]
    lost = [f"{column} ({len(cells):,}, such as {shorten(str(cells.iloc[0]), 30)!r})" for column, cells in encoder.lost_.items()]
    if lost:
        left.append(f"cells that are no number or date count as missing: {shown(lost)}")
    features = tuple(encoder.get_feature_names_out())
    return dataset._replace(train=train, **others, shape=None, notes=(*dataset.notes, *left), features=features)


def with_descriptions(dataset: Dataset, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A list's columns, and what each sample is: the file of a picture, the text of a vector, the columns of a table.

    columns: (m,) each, with "index", the row in the source.
    """
    known = {"file": dataset.files, "text": dataset.texts}
    more = {name: np.array(values)[columns["index"]] for name, values in known.items() if values and not dataset.table}
    return {**columns, **more, **(own_columns(dataset.table, columns) if dataset.table else {})}


def as_rows(x: Any) -> Features:
    """Samples (n, ...) as rows (n, d), float64, bytes divided by 255; rows that lie elsewhere as they are."""
    if not isinstance(x, np.ndarray | sp.csr_array):
        return x
    matrix = compact(in_rows(x))
    if x.dtype == np.uint8:
        values = matrix.data if sp.issparse(matrix) else matrix
        values /= 255  # in place, of a copy: a CSR matrix itself would multiply by 1 / 255, which is not quite the same
    return matrix


def as_pictures(x: np.ndarray) -> np.ndarray:
    """(n, d), (n, h, w), (n, h, w, c) or (n, c, h, w) as (n, c, h, w), bytes or float32; c of 1 or 3 may come last."""
    if sp.issparse(x):
        raise InputError("sparse rows are not for networks; use RDIA.py, or save them with numpy.savez")
    if x.dtype.kind == "f" and (largest := float(np.abs(x).max(initial=0))) > LARGEST_PIXEL:
        raise InputError(f"features go up to {largest:.3g}, networks take {LARGEST_PIXEL:.3g} at most; scale the features")
    if x.ndim == 4 and x.shape[-1] in {1, 3} and x.shape[1] not in {1, 3}:
        x = x.transpose(0, 3, 1, 2)
    elif x.ndim < 4:
        x = x.reshape(len(x), 1, *(1, *x.shape[1:])[-2:])
    elif x.ndim > 4:
        x = x.reshape(len(x), 1, 1, math.prod(x.shape[1:]))
    return np.ascontiguousarray(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32)


def picture_shape(x: Any) -> tuple[int, ...] | None:
    """The shape of one sample, if it is that of a picture: (h, w), or three sizes of which the first or the last is 1 or 3."""
    shape = x.shape[1:]
    return shape if len(shape) == 2 or (len(shape) == 3 and {shape[0], shape[-1]} & {1, 3}) else None


def cut(source: Source, name: str, seed: int, asked: Validation, own: bool) -> Dataset:
    """The data set from its source, with notes on what was taken of a user's `own` data. Raises `InputError`."""
    if source.validation and asked.rows:
        raise InputError(f"--n_validation {asked.rows}: {name} has validation rows of its own, all of them used; leave it out")
    dataset = divide(source, name, generator(seed, "split"), asked, own)
    if not own:
        return dataset
    notes, noisy_test = [], not source.test and asked.part != "own"
    if noisy_test:
        notes.append(OWN_TEST.format(count=len(dataset.test.labels)))
    if asked.part in {"train", "test"} and not source.validation:
        part, use = ("training", "examined") if asked.part == "train" else ("test", "tested on")
        notes.append(OWN_VALIDATION.format(count=len(dataset.validation.labels), part=part, use=use))
    return dataset._replace(notes=(*notes, *dataset.notes), noisy_test=noisy_test)


def divide(source: Source, name: str, rng: np.random.Generator, asked: Validation = FROM_TRAIN, own: bool = False) -> Dataset:
    """Cut a source: its own test rows, else the last of train; its own validation rows, else what is `asked`.

    own: whether it is a user's, of which each part has its share of each class.
    """
    n = len(source.train.labels)
    order = rng.permutation(n) if source.shuffle else np.arange(n)
    n_train = n if source.test or asked.part == "own" else n - n // 5 if source.n_train is None else source.n_train
    from_train = asked.part == "train" and not source.validation
    n_fit = n_train - _last(n_train, asked.rows) if from_train else n_train
    cuts: list[Any] = [slice(n_fit), slice(n_fit, n_train), slice(n_train, n)]
    if own and n_fit < n:
        places = spread_out(source.train.labels[order])
        cuts = [order[np.sort(places[cut])] for cut in cuts]
    elif source.shuffle:
        cuts = [order[cut] for cut in cuts]
    train, last, test = (_take(source.train, rows) for rows in cuts)
    validation, test = source.validation or last, source.test or test
    if asked.part == "test" and not source.validation:
        validation, test = from_test(test, asked.rows, rng)
    parts = {"training": train, "validation": validation, "test": test}
    if asked.part in {"none", "own"}:
        parts = {role: part for role, part in parts.items() if role == "training" or (role == "test" and asked.part == "none")}
    for role, part in parts.items():
        if not len(part.labels):
            remedy = f"give a smaller --n_validation than {asked.rows}" if asked.rows else "add rows"
            raise InputError(f"--dataset {name}: {n} rows leave no {role} rows; {remedy}")
    if source.validation:
        parts["validation"] = validation
    notes = (*source.notes, *class_notes(parts, source.classes))
    return Dataset(train, validation, test, source.classes, source.files, None, notes)


def spread_out(labels: np.ndarray) -> np.ndarray:
    """The places of labels (n,), integers, in an order that leaves each class its share on both sides of a cut anywhere, (n,).

    The labels of a class stay in order; an only one comes in the middle.
    """
    by_class, counts = np.argsort(labels, kind="stable"), np.bincount(labels)
    within = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)  # place in its class
    share = np.empty(len(labels))
    share[by_class] = (within + 0.5) / np.repeat(counts, counts)
    return np.argsort(share, kind="stable")


def class_notes(parts: dict[str, Part], classes: tuple[str, ...]) -> list[str]:
    """Notes on parts that lack classes."""
    notes = [
        f"the {role} rows are all of class {classes[part.labels[0]]}: is the file sorted?"
        for role, part in parts.items()
        if len(np.unique(part.labels)) == 1
    ]
    if "validation" in parts and len(classes) > 2:
        absent = [classes[label] for label in np.setdiff1d(parts["training"].labels, parts["validation"].labels)]
        if absent:
            notes.append(f"no validation row is of class {shown(absent)}: little can be said of such labels; add some")
    counts = np.bincount(parts["training"].labels, minlength=len(classes))
    folded = [name.casefold() for name in classes]
    alike = [name for name in classes if folded.count(name.casefold()) > 1]
    if alike:
        notes.append(f"the classes {shown(alike)} differ only in capitals: is one misspelt?")
    rare = [name for name, count in zip(classes, counts, strict=True) if count < LEAST_OF_CLASS]
    if rare and counts.max() > RARE_BESIDE * LEAST_OF_CLASS:
        notes.append(f"fewer than {LEAST_OF_CLASS} training rows are of class {shown(rare)}: a wrong name there is not found; look")
    return notes


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
