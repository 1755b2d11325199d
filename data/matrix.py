"""Feature matrices: dense or CSR, float64, whichever of the two is cheaper to multiply with."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp

Features: TypeAlias = Any  # np.ndarray or scipy.sparse.csr_array, float64; scipy has no type stubs

# Measured on MNIST 1 vs 7 (14% non-zero): a CSR product takes 6.4 times as long per stored value as a dense one per cell, less
# the cells it skips; the two meet near 0.5, where CSR's 12 bytes a value are also no more than 0.75 of the dense 8 a cell.
DENSE_FROM = 0.5
HASHED_CELLS = 2**18  # cells that are hashed at a time
MOST_APART = {"a mean norm": 5.0, "a spread": 3.0}  # times by which measures of scale may differ
LEAST_COMPARED = 10  # rows: of fewer a scale cannot be told


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
    if not sp.issparse(x) or x.nnz >= 2**31 or (x.format == "csr" and x.indices.dtype == x.indptr.dtype == np.int32):
        return x
    x = sp.csr_array(x)
    return sp.csr_array((x.data, x.indices.astype(np.int32, copy=False), x.indptr.astype(np.int32, copy=False)), shape=x.shape)


def rows_among(x: Features, others: Features) -> np.ndarray:
    """Which rows of x (m, ...) are also rows of `others` (n, ...), dense or CSR, (m,) bool."""
    return np.isin(row_hashes(x), row_hashes(others))


def row_hashes(x: Features) -> np.ndarray:
    """64 bits for each row of x (n, ...), dense or CSR, (n,): a sum over its cells that are not zero, so that equal rows agree."""
    found = np.zeros(x.shape[0], dtype=np.uint64)
    step = max(1, HASHED_CELLS // max(1, int(np.prod(x.shape[1:]) * density(x))))
    for start in range(0, len(found), step):
        block = x[start : start + step]
        if sp.issparse(block):
            rows, columns, values = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr)), block.indices, block.data
        else:
            block = block.reshape(len(block), -1)
            rows, columns = np.nonzero(block)
            values = block[rows, columns]
        cells = _mixed(values.astype(np.float64).view(np.uint64) ^ _mixed(columns.astype(np.uint64) + 1))
        cells[values == 0] = 0
        np.add.at(found, start + rows, cells)
    return found


def _mixed(bits: np.ndarray) -> np.ndarray:
    """64 bits of which each depends on all that were given."""
    for shift, factor in ((32, 0x9E3779B97F4A7C15), (29, 0xD1B54A32D192ED03)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(32))


class Apart(NamedTuple):
    """A measure by which two sets of rows are on different scales."""

    name: str
    of_rows: float
    of_others: float


def apart(x: Features, others: Features) -> Apart | None:
    """How the scales of rows x (m, d) and `others` (n, d) differ, if they do by far."""
    if min(x.shape[0], others.shape[0]) >= LEAST_COMPARED:
        scales = zip(_norm_and_spread(x), _norm_and_spread(others), strict=True)
        for (of_rows, of_others), (name, most) in zip(scales, MOST_APART.items(), strict=True):
            if of_rows > of_others * most or of_others > of_rows * most:  # False of numbers too large to be squared
                return Apart(name, of_rows, of_others)
    return None


@np.errstate(over="ignore", invalid="ignore")  # features that are too large are refused where they are fitted
def _norm_and_spread(x: Features) -> tuple[float, float]:
    """The root of the mean square norm of the rows of x (n, d), and of their distance from their mean."""
    if sp.issparse(x) and x.shape[1] > x.nnz:  # the columns that are empty may be many millions
        filled, places = np.unique(x.indices, return_inverse=True)
        x = sp.csr_array((x.data, places, x.indptr), shape=(x.shape[0], len(filled)))
    square = float(np.square(np.linalg.norm(x.data if sp.issparse(x) else x)) / x.shape[0])
    mean = np.ones(x.shape[0]) @ x / x.shape[0]  # of CSR `mean` makes a copy
    return square**0.5, max(0.0, square - float(np.square(mean).sum())) ** 0.5
