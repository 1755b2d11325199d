"""Many runs: those that are missing, on one core or several or a Dask cluster, each kept as it ends."""

import functools
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

from tqdm import tqdm

from data.cluster import connect
from data.errors import InputError
from Figure.lines import Run, Store
from Figure.results import Record


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
    if dask and runs:
        yield from _on_cluster(runs, data_dir, dask)
    elif jobs == 1:
        yield from ((place, run.make(data_dir)) for place, run in enumerate(runs))
    else:
        import joblib

        warnings.filterwarnings("ignore", module=r"joblib\.parallel$")  # it counts the runs that an error or Ctrl-C leaves
        # And its process that counts semaphores, which takes its filters from here, those that it finds or does not find then.
        os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker")))
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        call = joblib.delayed(_make_for)
        with _held(signal.SIGINT):
            made = parallel(call(os.getpid(), place, run.make, data_dir) for place, run in enumerate(runs))
        yield from made


@contextmanager
def _held(number: signal.Signals) -> Iterator[None]:
    """Hold a signal back; processes that are started meanwhile never get it, as Ctrl-C is for this one to answer."""
    resource_tracker.ensure_running()  # Python 3.11 lets the signal through when it starts this one
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _make_for(parent: int, place: int, make: Callable[[Path], Record], data_dir: Path) -> tuple[int, Record]:
    _end_with(parent)
    return _make(place, make, data_dir)


@functools.cache
def _end_with(parent: int) -> None:
    """Let this process end within a second of its parent, killed though that may be: joblib's would go on."""
    tqdm.set_lock(threading.RLock())  # its own is between processes: Python would warn of it where this one is killed

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _make(place: int, make: Callable[[Path], Record], data_dir: Path) -> tuple[int, Record]:
    return place, make(data_dir)


def _on_cluster(runs: Sequence[Run], data_dir: Path, address: str) -> Iterator[tuple[int, Record]]:
    """The same on the workers of a Dask scheduler.

    Not by joblib's backend for Dask: it waits for ever where the scheduler dies, or cannot read what it is sent. Raises
    `InputError`.
    """
    with connect(address) as client:
        from dask.distributed import CancelledError, as_completed

        futures = [client.submit(_make, place, run.make, data_dir.resolve(), pure=False) for place, run in enumerate(runs)]
        try:
            for future in as_completed(futures):
                yield future.result()
        except CancelledError as error:
            raise InputError(
                f"--dask {address}: the scheduler is gone; what has ended is kept: start it, and run this again"
            ) from error


def shard(runs: Sequence[Run], part: tuple[int, int]) -> list[Run]:
    """Every n-th of the runs, from the i-th on: those of machine i of n. part: (i, n), i from 1."""
    number, count = part
    return list(runs[number - 1 :: count])
