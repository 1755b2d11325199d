"""Where the rows of a LIBSVM file lie: in memory, in a temporary file, or on the workers of a Dask cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from data.libsvm import read_libsvm, read_on_disk
from data.libsvm_parts import Read


@contextmanager
def reader(block_rows: int | None, dask: str | None) -> Iterator[Read]:
    """What reads a LIBSVM file to that place, and keeps it there for the length of the block. Raises `InputError`.

    block_rows: how many are read at a time to keep them in a file; dask: the address of a scheduler; None of both: in memory.
    """
    if dask:
        from models.devices.on_dask import cluster

        with cluster(dask) as read:
            yield read
    else:
        yield partial(read_on_disk, block_rows=block_rows) if block_rows else read_libsvm
