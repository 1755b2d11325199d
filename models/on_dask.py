"""Rows of a LIBSVM file on the workers of a Dask cluster, each of which reads its own byte ranges of the file.

What a worker holds that dies is made again by another from the file, block by block as before, so that sums come out the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial, reduce
from itertools import accumulate, pairwise
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp

from data.blocks import DiskVector
from data.cluster import connect, same
from data.errors import InputError
from data.in_blocks import EMPTY, RowFile, codes, followed, summarize
from data.libsvm import OPENERS, LibsvmFile, line_ranges, read_range
from influence.rows import plus

Future: TypeAlias = Any  # distributed.Future
PATIENCE = 20  # seconds without a result after which the workers are looked at
MORE = "give a smaller --block_rows, start more workers, or give workers more memory (`dask worker --memory-limit`)"


class Cluster(NamedTuple):
    """A connection, and what it leads to."""

    client: Any
    threads: int  # of all workers
    block_rows: int | None  # None: a block for each thread

    def submit(self, call: Callable[..., Any], *given: Any) -> Future:
        """`call(*given)` on a worker of Dask's choice: a task that is bound to one is stuck if all of them are lost at once."""
        return self.client.submit(call, *given, pure=False)

    def scatter(self, value: Any) -> Any:
        """A vector on a worker, sent straight to it where the workers can be reached; it is lost with the worker."""
        if isinstance(value, np.ndarray) and self.client.direct_to_workers:
            with suppress(OSError):  # the worker is being lost
                return self.client.scatter(value, hash=False)
        return self.send(value)

    def send(self, value: Any) -> Any:
        """A vector on a worker, as a task, which is done again where the worker is lost."""
        return self.submit(same, value) if isinstance(value, np.ndarray) else value

    def together(self, futures: Sequence[Future]) -> tuple[tuple[int, ...], ...]:
        """The places of these futures, which are ready, by the worker that holds them."""
        holders = self.client.who_has(futures)
        of = [min(holders[future.key], default="") for future in futures]
        return tuple(tuple(place for place, name in enumerate(of) if name == worker) for worker in sorted(set(of)))

    def result(self, future: Future) -> Any:
        """What a future comes to. Raises `InputError` where no worker is left that could work on it."""
        stuck = 0
        while True:
            try:
                return future.result(timeout=PATIENCE)
            except TimeoutError as error:
                workers = self.client.scheduler_info(n_workers=-1)["workers"]
                running = {name for name, worker in workers.items() if worker["status"] == "running"}  # not paused, for memory
                busy = {name for name, tasks in self.client.processing().items() if tasks}
                stuck = stuck + 1 if busy and not busy & running else 0  # Dask takes no task from a worker that is paused
                if running and stuck < 2:
                    continue
                of = "all workers are" if not running else "a worker with work that all wait for is"
                what = f"{of} out of memory" if workers else "no worker is left"
                raise InputError(f"--dask {self.client.scheduler.address}: {what}; {MORE}") from error


@contextmanager
def cluster(address: str, block_rows: int | None) -> Iterator[Callable[[Path], RowFile]]:
    """What reads a LIBSVM file onto the workers of a scheduler. Raises `InputError`, also for what befalls them meanwhile."""
    with connect(address) as client:
        from dask import config
        from dask.distributed import KilledWorker

        threads = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
        try:
            with config.set({"distributed.admin.large-graph-warning-threshold": "1GiB"}):  # a vector over the columns is none
                yield partial(_read, Cluster(client, threads, block_rows))
        except KilledWorker as error:
            raise InputError(
                f"--dask {address}: a block has killed one worker after another, for want of memory most likely; {MORE}"
            ) from error


@dataclass(frozen=True, eq=False)
class OnDask:
    """`Rows` on a cluster."""

    cluster: Cluster
    blocks: tuple[Future, ...]  # CSR matrices
    counts: tuple[int, ...]  # their rows
    columns: int
    nnz: int
    together: tuple[tuple[int, ...], ...]  # numbers of the blocks that a worker holds, or did: these are summed first

    @property
    def shape(self) -> tuple[int, int]:
        return sum(self.counts), self.columns

    @property
    def places(self) -> list[slice]:
        """Which rows each block has."""
        return [slice(*ends) for ends in pairwise(accumulate(self.counts, initial=0))]

    def numbered(self, first: int, columns: int) -> "OnDask":
        """The same rows with so many columns, of which the first has this number in the file."""
        return _held(
            self.cluster, [self.cluster.submit(_numbered, block, first, columns) for block in self.blocks], self.counts, columns
        )

    def __getitem__(self, rows: slice) -> "OnDask":
        """Some rows, cut anew into blocks of like size."""
        start, stop, _ = rows.indices(self.shape[0])
        size = self.cluster.block_rows or max(1, -(-(stop - start) // self.cluster.threads))
        cuts = [slice(begin, min(begin + size, stop)) for begin in range(start, stop, size)]
        blocks = [self.cluster.submit(_stacked, *self._within(cut)) for cut in cuts]
        return _held(self.cluster, blocks, [cut.stop - cut.start for cut in cuts], self.columns)

    def _within(self, cut: slice) -> list[Future]:
        """The parts of the blocks that lie in a cut, in their order."""
        found = []
        for block, place in zip(self.blocks, self.places, strict=True):
            start, stop = max(cut.start, place.start), min(cut.stop, place.stop)
            if start < stop:
                found.append(self.cluster.submit(getitem, block, slice(start - place.start, stop - place.start)))
        return found

    def parts(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> Iterator[Any]:
        """What `part` gives, summed over the blocks of a worker there, so that little has to travel."""
        from dask.distributed import CancelledError

        sums = self._sums(self.together, part, vectors, [self.cluster.scatter(value) for value in shared])
        for numbers, found in zip(self.together, sums, strict=True):
            try:
                result = self.cluster.result(found)
            except CancelledError:  # a worker was lost, and with it a vector that was only there
                (again,) = self._sums([numbers], part, vectors, [self.cluster.send(value) for value in shared])
                result = self.cluster.result(again)
            yield result

    def _sums(
        self, together: Sequence[Sequence[int]], part: Callable[..., Any], vectors: Sequence[Any], sent: Sequence[Any]
    ) -> list[Future]:
        """A sum for each group of blocks, one after another within it; one message for all the first blocks, and so on."""
        sums: list[Future] = [None] * len(together)
        for step in range(max(map(len, together), default=0)):
            nth = {group: numbers[step] for group, numbers in enumerate(together) if step < len(numbers)}
            calls = [(sums[group], part, self.blocks[block], *_pieces(vectors, block), *sent) for group, block in nth.items()]
            found = self.cluster.client.map(_added, *zip(*calls, strict=True), pure=False)
            for group, future in zip(nth, found, strict=True):
                sums[group] = future
        return sums

    def each(self, part: Callable[..., Any], vectors: Sequence[Any], shared: Sequence[Any]) -> Any:
        sent = [self.cluster.send(value) for value in shared]
        given = [self.cluster.submit(part, block, *_pieces(vectors, number), *sent) for number, block in enumerate(self.blocks)]
        several = self.cluster.result(self.cluster.submit(_width, given[0]))
        if several is None:
            return Spread(given)
        return tuple(Spread([self.cluster.submit(getitem, found, place) for found in given]) for place in range(several))

    def vector(self, numbers: np.ndarray) -> "Spread":
        return Spread([self.cluster.submit(same, numbers[place]) for place in self.places])

    def numbers(self, vector: "Spread") -> DiskVector:
        kept = DiskVector(self.cluster.result(vector.pieces[0]).dtype)
        for piece in vector.pieces:
            kept.append(self.cluster.result(piece))
        return kept


class Spread(NamedTuple):
    """A vector with one number a row, in pieces on the workers."""

    pieces: list[Future]


def _held(there: Cluster, blocks: Sequence[Future], counts: Sequence[int], columns: int) -> OnDask:
    """Blocks, once the workers have them."""
    nnz = sum(map(there.result, [there.submit(_stored, block) for block in blocks]))
    return OnDask(there, tuple(blocks), tuple(counts), columns, nnz, there.together(blocks))


def _read(there: Cluster, path: Path) -> RowFile:
    """A LIBSVM file, each range of it read by the worker that will hold it. Raises `InputError`."""
    if path.suffix in OPENERS:
        raise InputError(f"{path}: is compressed, and a worker reads a part of a file; unpack it")
    ranges = line_ranges(path, there.block_rows, there.threads)
    read = [there.submit(read_range, path.resolve(), *ends) for ends in ranges]
    summaries = list(map(there.result, [there.submit(summarize, lines) for lines in read]))
    summary = reduce(partial(followed, path), summaries, EMPTY)
    labels = list(map(there.result, [there.submit(_codes, lines, tuple(summary.spelling)) for lines in read]))
    blocks = [there.submit(_matrix, lines) for lines in read]
    x = _held(there, blocks, [part.rows for part in summaries], summary.largest + 1)
    return RowFile(x, np.concatenate([*labels, np.empty(0, np.int8)]), summary)


def _pieces(vectors: Sequence[Any], number: int) -> Iterator[Any]:
    """Of each vector the piece of one block; a number is the same for all."""
    return (vector.pieces[number] if isinstance(vector, Spread) else vector for vector in vectors)


def _codes(lines: LibsvmFile, spelling: tuple[float, ...]) -> np.ndarray:
    return codes(lines.y, spelling)


def _matrix(lines: LibsvmFile) -> sp.csr_array:
    return lines.x


def _numbered(x: sp.csr_array, first: int, columns: int) -> sp.csr_array:
    return sp.csr_array((x.data, x.indices - first, x.indptr), shape=(x.shape[0], columns))


def _stacked(*blocks: sp.csr_array) -> sp.csr_array:
    return blocks[0] if len(blocks) == 1 else sp.csr_array(sp.vstack(blocks))


def _stored(x: sp.csr_array) -> int:
    return x.nnz


def _added(before: Any, part: Callable[..., Any], *given: Any) -> Any:
    """part(*given), on top of what the blocks before it gave."""
    found = part(*given)
    return found if before is None else plus(before, found)


def _width(found: Any) -> int | None:
    """How many vectors a part gave; None for one that is no tuple."""
    return len(found) if isinstance(found, tuple) else None
