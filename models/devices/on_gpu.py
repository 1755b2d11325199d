"""Rows on a GPU, or any other torch device: one block of float64, dense or CSR, and all row vectors beside it.

Vectors over the columns come and go, two for each product; the rows stay.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from data.errors import InputError
from data.matrix import Features
from influence.rows import RowVector


@dataclass(frozen=True, eq=False)
class DeviceMatrix:
    """X as functions of one block use it: X v, X.T v, and X ** 2."""

    forward: Tensor  # (n, d)
    backward: Tensor  # (d, n), stored by rows too: the transpose of a CSR tensor has no fast product

    @property
    def T(self) -> "DeviceMatrix":  # noqa: N802 - numpy's name
        return DeviceMatrix(self.backward, self.forward)

    def __matmul__(self, vector: Tensor) -> Tensor:
        return self.forward @ vector

    def __pow__(self, power: int) -> "DeviceMatrix":
        return DeviceMatrix(_power(self.forward, power), _power(self.backward, power))


@dataclass(frozen=True, eq=False)
class OnDevice:
    """`Rows` of one block."""

    x: DeviceMatrix
    host: Features  # the same rows in memory
    device: torch.device

    @property
    def shape(self) -> tuple[int, int]:
        return self.host.shape

    def __getitem__(self, rows: np.ndarray) -> "OnDevice":
        return on_device(self.host[rows], self.device)

    def parts(self, part: Callable[..., Any], vectors: Sequence[RowVector], shared: Sequence[Any]) -> Iterator[Any]:
        yield _home(part(self.x, *vectors, *map(self._there, shared)))

    def each(self, part: Callable[..., Any], vectors: Sequence[RowVector], shared: Sequence[Any]) -> Any:
        return part(self.x, *vectors, *map(self._there, shared))

    def vector(self, numbers: np.ndarray) -> Tensor:
        return torch.as_tensor(numbers, device=self.device)

    def numbers(self, vector: Tensor) -> np.ndarray:
        return vector.cpu().numpy()

    def _there(self, value: Any) -> Any:
        return self.vector(value) if isinstance(value, np.ndarray) else value


def on_device(x: Features, device: torch.device) -> OnDevice:
    """A matrix (n, d), float64, as rows on a device. Raises `InputError` where it has no room for them."""
    try:
        if sp.issparse(x):
            matrix = DeviceMatrix(_csr(x, device), _csr(sp.csr_array(x.T), device))
        else:
            dense = torch.as_tensor(x, device=device)
            matrix = DeviceMatrix(dense, dense.T)
    except torch.cuda.OutOfMemoryError as error:
        raise InputError(f"{device}: has no room for {x.shape[0]:,} rows; give --block_rows instead of --gpu") from error
    return OnDevice(matrix, x, device)


def _csr(x: sp.csr_array, device: torch.device) -> Tensor:
    rows, columns, values = (torch.as_tensor(array, device=device) for array in (x.indptr, x.indices, x.data))
    return _tensor(rows, columns, values, x.shape)


def _power(x: Tensor, power: int) -> Tensor:
    if x.layout != torch.sparse_csr:
        return x**power
    return _tensor(x.crow_indices(), x.col_indices(), x.values() ** power, x.shape)


def _tensor(rows: Tensor, columns: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse (CSR tensor support|invariant checks)")  # torch says each once
        return torch.sparse_csr_tensor(rows, columns, values, size=tuple(shape))


def _home(found: Any) -> Any:
    """What a part gave, as numpy's."""
    return tuple(map(_home, found)) if isinstance(found, tuple) else found.cpu().numpy()
