"""Rows in one array or in blocks: a sum or a map over rows is stated as a function of one block.

The functions below, in `influence.logistic` and in `influence.softmax_blocks` take rows as a matrix, which is one block, or as
`Rows`: blocks on the workers of a Dask cluster or on a GPU (`models.devices`). A vector with one number a row is stored where the
rows are; vectors with one number a column are numpy arrays on the machine that runs the program.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import scipy.sparse as sp

RowVector: TypeAlias = Any  # (n,) as the rows store it: an np.ndarray for a matrix; or one number for all rows
BlockFunction: TypeAlias = Callable[
    ..., Any
]  # (block, *pieces of row vectors, *shared) -> an array or a tuple of arrays; can be pickled


class Rows(Protocol):
    """n rows of d columns, in blocks."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""

    def parts(self, part: BlockFunction, vectors: Sequence[RowVector], shared: Sequence[Any]) -> Iterator[Any]:
        """The result of `part` for each block, one after another: numpy arrays or tuples of them."""

    def each(self, part: BlockFunction, vectors: Sequence[RowVector], shared: Sequence[Any]) -> Any:
        """The results of `part` for the rows of all blocks, joined: a row vector, or a tuple of them."""

    def vector(self, numbers: np.ndarray) -> RowVector:
        """An array (n,) as a row vector."""

    def numbers(self, vector: RowVector) -> np.ndarray:
        """A row vector as an array (n,)."""


AnyRows: TypeAlias = Any  # a matrix, np.ndarray or scipy.sparse.csr_array, or Rows


def is_matrix(x: AnyRows) -> bool:
    """Whether x is one array, dense or CSR."""
    return isinstance(x, np.ndarray) or sp.issparse(x)


def in_memory(x: AnyRows) -> bool:
    """Whether x is one array that is in memory; a CSR matrix whose arrays are mapped from a file has the attribute `on_disk`."""
    return is_matrix(x) and not getattr(x, "on_disk", False)


SLICE_ROWS = 2**18  # of a matrix on disk that are in memory at a time, with their logits of all classes


@dataclass(frozen=True, eq=False)
class Slices:
    """`Rows`: a matrix in blocks of `size` rows, one after another, whose vectors are numpy's."""

    x: Any
    size: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape

    def parts(self, part: BlockFunction, vectors: Sequence[RowVector], shared: Sequence[Any]) -> Iterator[Any]:
        for start in range(0, self.shape[0], self.size):
            rows = slice(start, start + self.size)
            yield part(self.x[rows], *(vector[rows] for vector in vectors), *shared)

    def each(self, part: BlockFunction, vectors: Sequence[RowVector], shared: Sequence[Any]) -> Any:
        found = [*self.parts(part, vectors, shared)]
        return tuple(map(np.concatenate, zip(*found, strict=True))) if isinstance(found[0], tuple) else np.concatenate(found)

    def vector(self, numbers: np.ndarray) -> np.ndarray:
        return numbers

    def numbers(self, vector: np.ndarray) -> np.ndarray:
        return vector


def in_blocks(x: AnyRows) -> AnyRows:
    """The rows, those of a matrix on disk in slices."""
    return x if in_memory(x) or not is_matrix(x) else Slices(x, SLICE_ROWS)


def total(x: AnyRows, part: BlockFunction, *vectors: RowVector, shared: Sequence[Any] = ()) -> Any:
    """Sum of part(block, *pieces, *shared) over the blocks of x. vectors: one number a row; shared: the same for all blocks."""
    return part(x, *vectors, *shared) if is_matrix(x) else functools.reduce(plus, x.parts(part, vectors, shared))


def each(x: AnyRows, part: BlockFunction, *vectors: RowVector, shared: Sequence[Any] = ()) -> Any:
    """The row vector, or tuple of row vectors, of part(block, *pieces, *shared) for the blocks of x."""
    return part(x, *vectors, *shared) if is_matrix(x) else x.each(part, vectors, shared)


def as_row_vector(x: AnyRows, numbers: np.ndarray) -> RowVector:
    """An array (n,) as a row vector of x."""
    return numbers if is_matrix(x) else x.vector(numbers)


def as_numbers(x: AnyRows, vector: RowVector) -> np.ndarray:
    """A row vector of x as an array (n,)."""
    return vector if is_matrix(x) else x.numbers(vector)


def rows_here(x: AnyRows, places: np.ndarray) -> Any:
    """The rows at ascending places (m,) as a matrix on the machine that runs the program; all rows of a matrix as they are."""
    if is_matrix(x):
        return x if len(places) == x.shape[0] else x[places]
    return x[places].matrix()


def times(x: Any, vector: np.ndarray) -> Any:
    """x v, the rows' logits where v is a model's weights."""
    return x @ vector


def plus(first: Any, second: Any) -> Any:
    """The sum of the results of two blocks: arrays, or tuples of them, element by element."""
    return tuple(map(plus, first, second)) if isinstance(first, tuple) else first + second
