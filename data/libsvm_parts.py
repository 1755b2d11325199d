"""LIBSVM files that belong together: FILE for training, FILE.t for the test, FILE.val for validation, with the same columns."""

import functools
import itertools
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from data.errors import InputError
from data.libsvm import OPENERS, LibsvmFile, read_libsvm
from data.source import Labelled, Source, source_of

EXPECTED_ZEROS = 10  # rows with column 0 that a file would have; that it has none by chance has a probability of e^-10

Read: TypeAlias = Callable[[Path], LibsvmFile]
Renumber: TypeAlias = Callable[[np.ndarray], Any]  # column numbers to others, (m,) to (m,)


def packed_or_plain(path: Path) -> Path | None:
    """The file or a compressed form of it, None if there is neither."""
    names = [path, *(path.with_name(path.name + suffix) for suffix in OPENERS)]
    return next((name for name in names if name.is_file()), None)


def libsvm_file(path: Path, read: Read = read_libsvm) -> Source:
    """A user's LIBSVM file, its test set FILE.t and its validation set FILE.val beside it, as the LIBSVM page names them."""
    stem = path.with_suffix("") if path.suffix in OPENERS else path
    found = {role: packed_or_plain(stem.with_name(f"{stem.name}.{suffix}")) for role, suffix in (("test", "t"), ("val", "val"))}
    return libsvm_source({"train": path, **{role: file for role, file in found.items() if file}}, read)


def libsvm_source(paths: Mapping[str, Path], read: Read = read_libsvm) -> Source:
    """Read the files of one set, and bring them to the same columns: the format counts them from 1, some files from 0."""
    files = {role: read(path) for role, path in paths.items()}
    notes = counted_otherwise({str(path): files[role].x for role, path in paths.items()})
    first = min(1, *(least_column(file.x) for file in files.values()))
    columns = max(0, max(file.x.shape[1] for file in files.values()) - first)
    number: Renumber = partial(np.add, -first)
    if columns > sum(file.x.nnz for file in files.values()):  # a column without values has the weight 0
        used = functools.reduce(np.union1d, [used_columns(file.x) for file in files.values()])
        number, columns = partial(np.searchsorted, used), len(used)
    else:
        used = np.arange(first, first + columns)
    parts = {role: Labelled(renumbered(file.x, number, columns), file.y) for role, file in files.items()}
    source = source_of({role: str(path) for role, path in paths.items()}, parts, files["train"].spelling)
    return source._replace(columns=used, notes=(*source.notes, *notes))


def counted_otherwise(rows: Mapping[str, Any]) -> list[str]:
    """Notes on files that seem to count their columns from 1 where another one counts from 0.

    rows: of each file by its name. Raises `InputError` where one has the columns 0 to d - 1 and another one 1 to d.
    """
    found = []
    in_memory = {name: x for name, x in rows.items() if sp.issparse(x) and x.nnz}
    for (name, x), (other, y) in itertools.permutations(in_memory.items(), 2):
        share = np.count_nonzero(x.indices == 0) / x.shape[0]
        if share * y.shape[0] < EXPECTED_ZEROS or not y.indices.min():
            continue
        fault = f"{name} counts its columns from 0, and {other} seems to count from 1"
        if y.indices.min() == 1 and y.shape[1] == x.shape[1] + 1:
            raise InputError(f"{fault}: its columns are 1 to {y.shape[1] - 1}; write both alike")
        found.append(f"{fault}: it has no column 0, which {share:.0%} of the rows of {name} have; write both alike")
    return found


def least_column(x: Any) -> int:
    """The number of the first column in use; 1 if there is none."""
    if not x.nnz:
        return 1
    return int(x.indices.min()) if sp.issparse(x) else x.least_column


def used_columns(x: Any) -> np.ndarray:
    """The numbers of the columns that have values, ascending."""
    return np.unique(x.indices) if sp.issparse(x) else x.used_columns()


def renumbered(x: Any, number: Renumber, columns: int) -> Any:
    """The same rows with so many columns, whose numbers `number` gives from those in the file."""
    if type(x) is not sp.csr_array:
        return x.renumbered(number, columns)
    return sp.csr_array((x.data, number(x.indices), x.indptr), shape=(x.shape[0], columns))
