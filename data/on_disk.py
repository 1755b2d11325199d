"""Rows in a temporary file: a CSR matrix whose arrays are mapped into memory, for data that memory cannot hold.

The file has no name, so nothing of it is left when the program ends. It lies in TMPDIR, which should be on a disk, not in memory.
"""

import tempfile
from collections.abc import Callable, Iterable
from typing import IO, Any

import numpy as np
import scipy.sparse as sp

from data.errors import InputError

VALUES = 2**20  # that are copied at a time: 12 MiB


class DiskMatrix(sp.csr_array):
    """A CSR matrix whose values and column numbers lie in a file; so do those of many rows that are taken from it."""

    on_disk = True

    def __getitem__(self, rows: Any) -> "DiskMatrix":
        """Some rows: of a slice, at places (m,), or where a mask (n,) is true."""
        if isinstance(rows, slice) and rows.step in {None, 1}:
            start, stop, _ = rows.indices(self.shape[0])
            ends = self.indptr[start : max(start, stop) + 1]
            part = slice(ends[0], ends[-1])
            arrays = _detached(self.data[part]), _detached(self.indices[part]), ends - ends[0]
            return DiskMatrix(arrays, shape=(len(ends) - 1, self.shape[1]))
        places = np.arange(self.shape[0])[rows]
        values = int(np.diff(self.indptr)[places].sum())
        pieces = (super(DiskMatrix, self).__getitem__(part) for part in np.array_split(places, 1 + values // VALUES))
        return next(pieces) if values < VALUES else on_disk(pieces, self.shape[1])

    def renumbered(self, number: Callable[[np.ndarray], Any], columns: int) -> "DiskMatrix":
        """The same rows with so many columns; `number` gives their numbers from those of now. The file is changed in place."""
        for start in range(0, self.nnz, VALUES):
            piece = self.indices[start : start + VALUES]
            piece[:] = number(piece)
        return DiskMatrix((self.data, self.indices, self.indptr), shape=(self.shape[0], columns))


def _detached(view: np.ndarray) -> np.ndarray:
    """The same memory as an array without a base: scipy copies arrays that are less than half of their base."""
    return np.frombuffer(view.data, view.dtype) if len(view) else view.copy()


def on_disk(pieces: Iterable[sp.csr_array], columns: int = 0) -> DiskMatrix:
    """The rows of all pieces, one below the other, with `columns` columns or as many as the widest piece.

    Raises `InputError` where the disk is full, and for more values than 32-bit numbers count.
    """
    ends, stored = [np.zeros(1, np.int64)], 0
    try:
        with tempfile.TemporaryFile() as values, tempfile.TemporaryFile() as indices:
            for piece in pieces:
                values.write(piece.data.astype(np.float64, copy=False).data)
                indices.write(piece.indices.astype(np.int32, copy=False).data)
                ends.append(stored + piece.indptr[1:].astype(np.int64))
                stored, columns = stored + piece.nnz, max(columns, piece.shape[1])
            arrays = _mapped(values, np.float64), _mapped(indices, np.int32)
    except OSError as error:
        place = f"{tempfile.gettempdir()}: cannot be written ({error.strerror})"
        raise InputError(f"{place}; make room, or name another folder in TMPDIR") from error
    if stored >= 2**31:
        raise InputError(f"the rows have {stored:,} values, expected fewer than 2,147,483,648; divide the file")
    indptr = np.concatenate(ends).astype(np.int32)
    return DiskMatrix((*arrays, indptr), shape=(len(indptr) - 1, columns))


def _mapped(file: IO[bytes], dtype: Any) -> np.ndarray:
    file.flush()
    return np.memmap(file, dtype, "r+") if file.tell() else np.zeros(0, dtype)
