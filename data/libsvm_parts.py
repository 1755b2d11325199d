"""LIBSVM files that belong together: FILE for training, FILE.t for the test, FILE.val for validation, with the same columns."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from data.errors import InputError
from data.libsvm import OPENERS, LibsvmFile, read_libsvm
from data.source import Labelled, Source, source_of

Read: TypeAlias = Callable[[Path], LibsvmFile]


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
    first = min(1, *(least_column(file.x) for file in files.values()), 1)
    columns = max(0, max(file.x.shape[1] for file in files.values()) - first)
    if columns > sum(file.x.nnz for file in files.values()):
        numbered, columns = only_used(paths["train"], {role: file.x for role, file in files.items()})
    else:
        numbered = {role: renumbered(file.x, first, columns) for role, file in files.items()}
    parts = {role: Labelled(x, files[role].y) for role, x in numbered.items()}
    return source_of({role: str(path) for role, path in paths.items()}, parts, files["train"].spelling)


def least_column(x: Any) -> int:
    """The number of the first column in use; 1 if there is none."""
    if not x.nnz:
        return 1
    return int(x.indices.min()) if sp.issparse(x) else x.least_column


def renumbered(x: Any, first: int, columns: int) -> Any:
    """The same rows with so many columns, of which the first has this number in the file."""
    if type(x) is not sp.csr_array:
        return x.renumbered(first, columns)
    return sp.csr_array((x.data, x.indices - np.int32(first), x.indptr), shape=(x.shape[0], columns))


def only_used(path: Path, parts: Mapping[str, Any]) -> tuple[dict[str, sp.csr_array], int]:
    """The columns that are used, and their number: the weight of the others is 0, and their numbers may be anything."""
    if any(type(x) is not sp.csr_array for x in parts.values()):
        raise InputError(f"{path}: has more columns than values; number the columns closely, or leave out --block_rows and --dask")
    used = np.unique(np.concatenate([x.indices for x in parts.values()]))
    found = {
        role: sp.csr_array((x.data, np.searchsorted(used, x.indices), x.indptr), shape=(x.shape[0], len(used)))
        for role, x in parts.items()
    }
    return found, len(used)
