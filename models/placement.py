"""Where the rows of a LIBSVM file lie: in memory, in blocks on disk, or on the workers of a Dask cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from data.dataset import Dataset, Validation, load
from data.in_blocks import load_in_blocks, on_disk

Loader: TypeAlias = Callable[[str, Path, int, Validation], Dataset]  # as `data.dataset.load`


@contextmanager
def loader(block_rows: int | None, dask: str | None) -> Iterator[Loader]:
    """What loads a data set to that place, and keeps it there for the length of the block. Raises `InputError`.

    block_rows: of a block, on disk or of a worker; dask: the address of a scheduler; neither: in memory.
    """
    if dask:
        from models.on_dask import cluster

        with cluster(dask, block_rows) as read:
            yield partial(load_in_blocks, read=read)
    elif block_rows:
        yield partial(load_in_blocks, read=partial(on_disk, block_rows=block_rows))
    else:
        yield load
