"""Rows of a LIBSVM file that are read a block at a time, and vectors with one number for each of them, all in files without a name.

Such a file has no name from the start (`tempfile`, in TMPDIR): nothing is left of it, whatever ends the program. In memory are one
block, and what a caller asks for.
"""

import operator
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from data.errors import InputError

CHUNK = 2**18  # numbers that are compared at a time


class DiskVector:
    """Numbers in a file, appended to it, and read where they are asked for: by index, or compared as a numpy array is."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, dtype: Any) -> None:
        self.dtype, self._file, self._count = np.dtype(dtype), tempfile.TemporaryFile(), 0  # noqa: SIM115 - closed below
        weakref.finalize(self, self._file.close)

    def append(self, numbers: np.ndarray) -> None:
        """Write more numbers at the end. Raises `InputError` where the disk is full."""
        try:
            self._file.write(np.ascontiguousarray(numbers, self.dtype).data)
            self._file.flush()
        except OSError as error:
            place = f"{tempfile.gettempdir()}: cannot be written ({error.strerror})"
            raise InputError(f"{place}; make room, or give another folder as TMPDIR") from error
        self._count += len(numbers)

    def __len__(self) -> int:
        return self._count

    def read(self, start: int, stop: int) -> np.ndarray:
        """The numbers from start up to, but not including, stop; not to be written to."""
        size = self.dtype.itemsize
        return np.frombuffer(os.pread(self._file.fileno(), (stop - start) * size, start * size), self.dtype)

    def __getitem__(self, place: Any) -> Any:
        return np.array(np.memmap(self._file, self.dtype, "r")[place])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.read(0, self._count).astype(dtype or self.dtype, copy=bool(copy))

    def __neg__(self) -> np.ndarray:
        return -np.asarray(self)

    def __gt__(self, other: Any) -> np.ndarray:
        return self._compared(operator.gt, other)

    def __lt__(self, other: Any) -> np.ndarray:
        return self._compared(operator.lt, other)

    def __eq__(self, other: Any) -> np.ndarray:  # type: ignore[override]
        return self._compared(operator.eq, other)

    def _compared(self, by: Callable[[Any, Any], Any], other: Any) -> np.ndarray:
        """by(this, other), (n,) bool; other: an array (n,) or a number."""
        out = np.empty(self._count, dtype=bool)
        for start in range(0, self._count, CHUNK):
            part = slice(start, min(start + CHUNK, self._count))
            out[part] = by(self.read(part.start, part.stop), other[part] if np.ndim(other) else other)
        return out


@dataclass(frozen=True)
class Consecutive:
    """The numbers from start up to, but not including, stop, as an array of them is indexed, without the memory."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            start, stop, _ = place.indices(len(self))
            return Consecutive(self.start + start, self.start + stop)
        return self.start + place

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.arange(self.start, self.stop, dtype=dtype)


@dataclass(frozen=True, eq=False)
class OnDisk:
    """Some rows of a CSR matrix that lies on disk, `Rows` of blocks of `block_rows`."""

    data: DiskVector  # float64
    indices: DiskVector  # int32, as the file counts them
    ends: DiskVector  # (n + 1,) int64: where each row begins among the stored values, and the last ends
    begin: int  # first row
    stop: int  # behind the last
    first: int  # number of the file's first column
    columns: int
    block_rows: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.stop - self.begin, self.columns

    @property
    def nnz(self) -> int:
        start, stop = (int(self.ends.read(row, row + 1)[0]) for row in (self.begin, self.stop))
        return stop - start

    def __getitem__(self, rows: slice) -> "OnDisk":
        start, stop, _ = rows.indices(self.shape[0])
        return replace(self, begin=self.begin + start, stop=self.begin + stop)

    def numbered(self, first: int, columns: int) -> "OnDisk":
        """The same rows with so many columns, of which the first has this number in the file."""
        return replace(self, first=first, columns=columns)

    def blocks(self) -> Iterator[tuple[slice, sp.csr_array]]:
        """The blocks, and which of these rows each has."""
        for start in range(self.begin, self.stop, self.block_rows):
            stop = min(start + self.block_rows, self.stop)
            ends = self.ends.read(start, stop + 1)
            indices = self.indices.read(ends[0], ends[-1]) - np.int32(self.first)
            arrays = self.data.read(ends[0], ends[-1]), indices, (ends - ends[0]).astype(np.int32)
            yield slice(start - self.begin, stop - self.begin), sp.csr_array(arrays, shape=(stop - start, self.columns))

    def parts(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> Iterator[Any]:
        for rows, x in self.blocks():
            yield part(x, *(_piece(vector, rows) for vector in vectors), *shared)

    def each(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> Any:
        kept: list[DiskVector] = []
        for found in self.parts(part, vectors, shared):
            several = found if isinstance(found, tuple) else (found,)
            kept = kept or [DiskVector(numbers.dtype) for numbers in several]
            for vector, numbers in zip(kept, several, strict=True):
                vector.append(numbers)
        return tuple(kept) if isinstance(found, tuple) else kept[0]

    def vector(self, numbers: np.ndarray) -> DiskVector:
        kept = DiskVector(numbers.dtype)
        kept.append(numbers)
        return kept

    def numbers(self, vector: DiskVector) -> DiskVector:
        return vector


def _piece(vector: Any, rows: slice) -> Any:
    """Some numbers of a vector; a number is the same for all rows."""
    return vector.read(rows.start, rows.stop) if isinstance(vector, DiskVector) else vector
