"""Many runs: those that are missing, on one core or several or a Dask cluster, each kept as it ends."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tqdm import tqdm

from data.errors import InputError
from Figure.lines import Run, Store
from Figure.results import Record

CONNECT = 10  # seconds to wait for a scheduler


def sweep(runs: Sequence[Run], store: Store, data_dir: Path, jobs: int = 1, dask: str | None = None, title: str = "") -> None:
    """Make the runs that `store` has not, and keep each as it ends.

    jobs: processes on this machine. dask: the address of a scheduler, whose workers make the runs instead. title: what the
    progress bar is called. What is interrupted, even by SIGKILL, loses the runs that were going on and no other. Raises
    `InputError`.
    """
    missing = store.missing(runs)
    with tqdm(total=len(missing), desc=title, unit="run", disable=not (missing and sys.stderr.isatty()), smoothing=0.1) as bar:
        for place, record in _made(missing, data_dir, jobs, dask):
            store.append(missing[place], record)
            bar.update()


def _made(runs: Sequence[Run], data_dir: Path, jobs: int, dask: str | None) -> Iterator[tuple[int, Record]]:
    """Places in `runs` and what they gave, in the order in which they end."""
    import joblib

    if jobs == 1 and not dask:
        yield from ((place, run.make(data_dir)) for place, run in enumerate(runs))
        return
    with _cluster(dask) if dask else nullcontext():
        parallel = joblib.Parallel(
            n_jobs=-1 if dask else jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs"
        )
        yield from parallel(joblib.delayed(_make)(place, run.make, data_dir) for place, run in enumerate(runs))


def _make(place: int, make: Callable[[Path], Record], data_dir: Path) -> tuple[int, Record]:
    return place, make(data_dir)


def _cluster(address: str) -> AbstractContextManager[object]:
    """joblib's Dask backend on a scheduler. Raises `InputError` where Dask or the scheduler is not there."""
    import joblib

    try:
        from dask.distributed import Client
    except ImportError as error:
        raise InputError(f"--dask {address}: Dask is not installed; run `pip install distributed`, or give --jobs") from error
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--dask {address}: there is no scheduler ({error}); start `dask scheduler`, and give its address, as tcp://HOST:8786"
        ) from error
    if not client.scheduler_info()["workers"]:
        client.close()
        raise InputError(f"--dask {address}: the scheduler has no workers; start some with `dask worker {address}`")
    return joblib.parallel_config(backend="dask", client=client)


def shard(runs: Sequence[Run], part: tuple[int, int]) -> list[Run]:
    """Every n-th of the runs, from the i-th on: those of machine i of n. part: (i, n), i from 1."""
    number, count = part
    return list(runs[number - 1 :: count])
