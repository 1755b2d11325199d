"""Rows of a LIBSVM file on the workers of a Dask cluster, each of which reads its own byte ranges of the file.

Blocks are tasks that Dask knows: where a worker is lost, others read its ranges again.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp

from data.errors import InputError
from data.libsvm import OPENERS, LibsvmFile, in_order, joined, line_ranges, read_range
from data.libsvm_parts import Read, least_column

Future: TypeAlias = Any  # distributed.Future
CONNECT = 10  # seconds to wait for a scheduler


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """A connection to a scheduler with workers. Raises `InputError`, also where scheduler or workers are lost meanwhile."""
    try:
        from dask.distributed import CancelledError, Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise InputError(f"--dask {address}: Dask is not installed; run `pip install distributed`, or leave --dask out") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said below, in one line
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--dask {address}: there is no scheduler ({error}); start `dask scheduler`, and give its address, as tcp://HOST:8786"
        ) from error
    with client:
        try:
            if not client.scheduler_info(n_workers=-1)["workers"]:
                raise InputError(f"--dask {address}: the scheduler has no workers; start some by `dask worker {address}`")
            client.submit(same, 0, pure=False).result()
            yield client
        except ImportError as error:
            raise InputError(
                f"--dask {address}: a worker cannot import this program ({error}); install it there, or start scheduler and"
                " workers in the clone, by `PYTHONPATH=. dask worker ...`"
            ) from error
        except KilledWorker as error:
            raise InputError(
                f"--dask {address}: a block has ended one worker after another, probably for want of memory; give a smaller"
                " --block_rows, or workers with more memory"
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise InputError(
                f"--dask {address}: the scheduler or what a worker held is lost; start them, and run this again"
            ) from error


class Cluster(NamedTuple):
    """A connection, and into which blocks files are cut."""

    client: Any
    block_rows: int | None  # None: a block for each thread

    def submit(self, call: Callable[..., Any], *given: Any) -> Future:
        """`call(*given)` on a worker of Dask's choice."""
        return self.client.submit(call, *given, pure=False)

    def sent(self, values: Sequence[Any]) -> list[Any]:
        """Vectors on all workers; numbers as they are."""
        return [
            self.client.scatter(value, broadcast=True, hash=False) if isinstance(value, np.ndarray) else value for value in values
        ]


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

    @property
    def shape(self) -> tuple[int, int]:
        return sum(self.counts), self.columns

    @property
    def places(self) -> list[slice]:
        """Which rows each block has."""
        return [slice(*ends) for ends in pairwise(accumulate(self.counts, initial=0))]

    def renumbered(self, first: int, columns: int) -> "OnDask":
        """The same rows with so many columns, of which the first has this number in the file."""
        return held(self.cluster, [self.cluster.submit(_renumbered, block, first, columns) for block in self.blocks])

    def __getitem__(self, rows: Any) -> "OnDask":
        """Some rows: a slice of them, at ascending places (m,), or of a mask (n,)."""
        chosen = np.zeros(self.shape[0], dtype=bool)
        chosen[rows] = True
        picked = [(block, np.flatnonzero(chosen[place])) for block, place in zip(self.blocks, self.places, strict=True)]
        return held(self.cluster, [self.cluster.submit(getitem, block, places) for block, places in picked if len(places)])

    def parts(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> Iterator[Any]:
        yield from self.cluster.client.gather(self._calls(part, vectors, shared))

    def each(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> Any:
        given = self._calls(part, vectors, shared)
        several = self.cluster.submit(_width, given[0]).result()
        if several is None:
            return Spread(given)
        return tuple(Spread([self.cluster.submit(getitem, found, place) for found in given]) for place in range(several))

    def _calls(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> list[Future]:
        sent = self.cluster.sent(shared)
        return [self.cluster.submit(part, block, *_pieces(vectors, number), *sent) for number, block in enumerate(self.blocks)]

    def vector(self, numbers: np.ndarray) -> Spread:
        return Spread([self.cluster.submit(same, numbers[place]) for place in self.places])

    def numbers(self, vector: Spread) -> np.ndarray:
        return np.concatenate(self.cluster.client.gather(vector.pieces))


@contextmanager
def cluster(address: str, block_rows: int | None) -> Iterator[Read]:
    """What reads a LIBSVM file onto the workers of a scheduler. Raises `InputError`."""
    with connect(address) as client:
        from dask import config

        with config.set({"distributed.admin.large-graph-warning-threshold": "1GiB"}):  # a vector over the rows is not large
            yield partial(read_on_workers, Cluster(client, block_rows))


def read_on_workers(there: Cluster, path: Path) -> LibsvmFile:
    """A LIBSVM file, each range of it read by the worker that will hold it. Raises `InputError`."""
    if path.suffix in OPENERS:
        raise InputError(f"{path}: is compressed, and a worker reads a part of a file; unpack it")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; check the path")
    ranges = line_ranges(path, there.block_rows, sum(there.client.nthreads().values()))
    read = [there.submit(read_range, path.resolve(), *ends) for ends in ranges]
    labels = there.client.gather([there.submit(_labels, lines) for lines in read])
    spelling: dict[float, str] = {}
    for _, names in labels:
        spelling.update(names | spelling)
    x = held(there, [there.submit(_matrix, lines) for lines in read])
    return joined(path, x, [y for y, _ in labels], spelling)


class Extent(NamedTuple):
    """What a block has."""

    rows: int
    columns: int
    nnz: int
    least_column: int


def held(there: Cluster, blocks: Sequence[Future]) -> OnDask:
    """Blocks, once the workers have them."""
    extents: list[Extent] = there.client.gather([there.submit(_extent, block) for block in blocks])
    rows, columns, stored, least = zip(*extents, strict=True) if extents else ((), (0,), (), (1,))
    return OnDask(there, tuple(blocks), tuple(rows), max(columns), sum(stored), min(least))


def same(value: Any) -> Any:
    """The value, as a task: it is made again where its worker is lost."""
    return value


def _pieces(vectors: Sequence[Any], number: int) -> Iterator[Any]:
    """Of each vector the piece of one block; a number is the same for all."""
    return (vector.pieces[number] if isinstance(vector, Spread) else vector for vector in vectors)


def _labels(lines: LibsvmFile) -> tuple[np.ndarray, dict[float, str]]:
    return lines.y, in_order(lines)


def _matrix(lines: LibsvmFile) -> sp.csr_array:
    return lines.x


def _extent(x: sp.csr_array) -> Extent:
    rows, columns = x.shape
    return Extent(rows, columns, x.nnz, least_column(x))


def _renumbered(x: sp.csr_array, first: int, columns: int) -> sp.csr_array:
    return sp.csr_array((x.data, x.indices - np.int32(first), x.indptr), shape=(x.shape[0], columns))


def _width(found: Any) -> int | None:
    """How many vectors a part gave; None if it gave one that is not in a tuple."""
    return len(found) if isinstance(found, tuple) else None
