"""Feature matrices: dense or CSR, float64, whichever of the two is cheaper to multiply with."""

import itertools
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

Features: TypeAlias = Any  # np.ndarray or scipy.sparse.csr_array, float64; scipy has no type stubs

# Measured on MNIST 1 vs 7 (14% non-zero): a CSR product takes 6.4 times as long per stored value as a dense one per cell, less
# the cells it skips; the two meet near 0.5, where CSR's 12 bytes a value are also no more than 0.75 of the dense 8 a cell.
DENSE_FROM = 0.5


def density(x: Features) -> float:
    """Share of the cells of x (n, d) that are stored (CSR, or rows in blocks) or not zero (dense)."""
    stored = np.count_nonzero(x) if isinstance(x, np.ndarray) else x.nnz
    return float(stored / max(1, x.shape[0] * x.shape[1]))


def compact(x: Features) -> Features:
    """x (n, d) as float64, dense where half of its cells or more are stored, else CSR with 32-bit indices."""
    if density(x) >= DENSE_FROM:
        return np.ascontiguousarray(x.toarray() if sp.issparse(x) else x, dtype=np.float64)
    return short_indices(sp.csr_array(x)).astype(np.float64, copy=False)


def short_indices(x: Features) -> Features:
    """The same rows; of a sparse matrix as CSR with 32-bit indices, which liblinear asks for, if it has so few values."""
    if not sp.issparse(x) or x.nnz >= 2**31:
        return x
    x = sp.csr_array(x)
    return sp.csr_array((x.data, x.indices.astype(np.int32, copy=False), x.indptr.astype(np.int32, copy=False)), shape=x.shape)


def rows_among(x: Features, others: Features) -> np.ndarray:
    """Which rows of x (m, d) are also rows of `others` (n, d), (m,) bool."""
    there = set(_rows(others))
    return np.array([row in there for row in _rows(x)], dtype=bool)


def _rows(x: Features) -> Iterator[bytes]:
    """Each row as bytes."""
    x = sp.csr_array(x) if sp.issparse(x) else x
    if not sp.issparse(x):
        yield from (row.tobytes() for row in np.ascontiguousarray(x, dtype=np.float64))
        return
    x.sort_indices()
    for first, last in itertools.pairwise(x.indptr):
        yield x.indices[first:last].astype(np.int64).tobytes() + x.data[first:last].astype(np.float64).tobytes()
