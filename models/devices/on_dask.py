"""Rows of a LIBSVM file on the workers of a Dask cluster, each of which reads its own byte ranges of the file.

Blocks are tasks that Dask knows: where a worker is lost, others read its ranges again.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from itertools import accumulate, pairwise
from operator import attrgetter, getitem
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp

from data.errors import InputError
from data.libsvm import OPENERS, LibsvmFile, in_order, joined, line_ranges, read_range
from data.libsvm_parts import Read, Renumber, least_column, renumbered, used_columns
from data.matrix import Features, compact
from influence.rows import times

Future: TypeAlias = Any  # distributed.Future
CONNECT = 10  # seconds to wait for a scheduler
DASK_BLOCK_BYTES = 2**27  # of text in one block, where there are more of these than threads


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """A connection to a scheduler with workers. Raises `InputError`, also where scheduler or workers are lost meanwhile."""
    try:
        from dask.distributed import CancelledError, Client, KilledWorker
        from distributed.client import ClosedClientError
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise InputError(f"--dask {address}: Dask is not installed; run `pip install distributed`, or leave --dask out") from error
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is said below, in one line
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--dask {address}: no scheduler answers ({error}); start `dask scheduler`, and give its address, as tcp://HOST:8786"
        ) from error
    with client:
        if not client.nthreads():
            raise InputError(f"--dask {address}: the scheduler has no workers; start some with `dask worker {address}`")
        try:
            client.submit(same, 0, pure=False).result()
        except (ImportError, RuntimeError) as error:  # of a worker, or of the scheduler
            raise InputError(
                f"--dask {address}: the scheduler or a worker cannot import this program ({error.__cause__ or error}); install it"
                " there, or start both in the clone with `PYTHONPATH=. dask ...`"
            ) from error
        try:
            yield client
        except KilledWorker as error:
            raise InputError(
                f"--dask {address}: one worker after another died of the same block, probably out of memory; start more workers,"
                " or give them more memory"
            ) from error
        except (CancelledError, CommClosedError, ClosedClientError) as error:
            raise InputError(
                f"--dask {address}: the scheduler, or what a worker held, is lost; start them again, and run this again"
            ) from error


class Cluster(NamedTuple):
    """A connection."""

    client: Any

    def submit(self, call: Callable[..., Any], *given: Any) -> Future:
        """`call(*given)` on a worker of Dask's choice."""
        return self.client.submit(call, *given, pure=False)

    def ask(self, call: Callable[..., Any], blocks: Sequence[Future]) -> list[Any]:
        """What `call` gives for each block."""
        return self.client.gather([self.submit(call, block) for block in blocks])


class Spread(NamedTuple):
    """A vector with one number a row, in pieces on the workers."""

    pieces: list[Future]


@dataclass(frozen=True, eq=False)
class OnDask:
    """`Rows` on a cluster."""

    cluster: Cluster
    blocks: tuple[Future, ...]  # CSR matrices
    counts: tuple[int, ...]  # their rows
    columns: int
    nnz: int
    least_column: int  # in use
    order: np.ndarray  # (n,) where each row is in the blocks

    @property
    def shape(self) -> tuple[int, int]:
        return sum(self.counts), self.columns

    def used_columns(self) -> np.ndarray:
        """The numbers of the columns that have values, ascending."""
        return reduce(np.union1d, self.cluster.ask(used_columns, self.blocks))

    def renumbered(self, number: Renumber, columns: int) -> "OnDask":
        """The same rows with so many columns; `number` gives their numbers from those of now."""
        return held(self.cluster, [self.cluster.submit(renumbered, block, number, columns) for block in self.blocks])

    def __getitem__(self, rows: Any) -> "OnDask":
        """Some rows, none twice: of a slice, at places (m,), or where a mask (n,) is true. Each stays in its block."""
        places = self.order[rows]
        taken, ends = np.sort(places), [0, *accumulate(self.counts)]
        cuts = pairwise(np.searchsorted(taken, ends))
        within = [taken[slice(*cut)] - start for cut, start in zip(cuts, ends, strict=False)]
        blocks = [self.cluster.submit(getitem, block, some) for block, some in zip(self.blocks, within, strict=True)]
        return held(self.cluster, blocks, np.searchsorted(taken, places))

    def parts(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> Iterator[Any]:
        yield from self.cluster.client.gather(self._calls(part, vectors, shared))

    def each(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> Any:
        given = self._calls(part, vectors, shared)
        several = self.cluster.submit(_width, given[0]).result()
        if several is None:
            return Spread(given)
        return tuple(Spread([self.cluster.submit(getitem, found, place) for found in given]) for place in range(several))

    def _calls(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> list[Future]:
        """`part` of each block, with its piece of each vector (a number is the same for all blocks)."""
        sent = [self.cluster.submit(same, value) if isinstance(value, np.ndarray) else value for value in shared]
        pieces = [vector.pieces if isinstance(vector, Spread) else [vector] * len(self.blocks) for vector in vectors]
        return [self.cluster.submit(part, block, *given, *sent) for block, *given in zip(self.blocks, *pieces, strict=True)]

    def matrix(self) -> Features:
        """The rows as one matrix on this machine."""
        return compact(sp.csr_array(sp.vstack(self.cluster.client.gather(list(self.blocks)))[self.order]))

    def __matmul__(self, columns: np.ndarray) -> np.ndarray:
        """The product with a matrix (d, k) on this machine, (n, k)."""
        return self.numbers(self.each(times, (), (columns,)))

    def vector(self, numbers: np.ndarray) -> Spread:
        stored = np.empty_like(numbers)
        stored[self.order] = numbers
        return Spread([self.cluster.submit(same, piece) for piece in np.split(stored, [*accumulate(self.counts)][:-1])])

    def numbers(self, vector: Spread) -> np.ndarray:
        return np.concatenate(self.cluster.client.gather(vector.pieces))[self.order]


@contextmanager
def cluster(address: str) -> Iterator[Read]:
    """What reads a LIBSVM file onto the workers of a scheduler. Raises `InputError`."""
    with connect(address) as client:
        from dask import config

        with config.set({"distributed.admin.large-graph-warning-threshold": "1GiB"}):  # a vector over the rows is not large
            yield partial(read_on_workers, Cluster(client))


def read_on_workers(there: Cluster, path: Path) -> LibsvmFile:
    """A LIBSVM file, each range of it read by the worker that will hold it. Raises `InputError`."""
    if path.suffix in OPENERS:
        raise InputError(f"{path}: is compressed, and a worker reads a part of a file; unpack it")
    count = max(sum(there.client.nthreads().values()), path.stat().st_size // DASK_BLOCK_BYTES)
    read = [there.submit(read_range, path.resolve(), *ends) for ends in line_ranges(path, count)]
    labels = there.ask(_labels, read)
    spelling: dict[float, str] = {}
    for _, names in labels:
        spelling.update(names | spelling)
    x = held(there, [there.submit(attrgetter("x"), lines) for lines in read])
    return joined(path, x, [y for y, _ in labels], spelling)


class Extent(NamedTuple):
    """What a block has."""

    rows: int
    columns: int
    nnz: int
    least_column: int


def held(there: Cluster, blocks: Sequence[Future], order: np.ndarray | None = None) -> OnDask:
    """Blocks, once the workers have them. order: None as they come."""
    extents: list[Extent] = there.ask(_extent, blocks)
    rows, columns, stored, least = zip(*extents, strict=True) if extents else ((), (0,), (), (1,))
    order = np.arange(sum(rows)) if order is None else order
    return OnDask(there, tuple(blocks), tuple(rows), max(columns), sum(stored), min(least), order)


def same(value: Any) -> Any:
    """The value, as a task: it is made again where its worker is lost."""
    return value


def _labels(lines: LibsvmFile) -> tuple[np.ndarray, dict[float, str]]:
    return lines.y, in_order(lines)


def _extent(x: sp.csr_array) -> Extent:
    rows, columns = x.shape
    return Extent(rows, columns, x.nnz, least_column(x))


def _width(found: Any) -> int | None:
    """How many vectors a part gave; None if it gave one that is not in a tuple."""
    return len(found) if isinstance(found, tuple) else None
