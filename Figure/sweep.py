"""Many runs: those that are missing, on one core or several or a Dask cluster, each kept as it ends."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from Figure.lines import Run, Store
from models.progress import ProgressBar
from run.records import Record


class Made(NamedTuple):
    """A run that has ended."""

    place: int  # in the list of runs
    record: Record


def sweep(runs: Sequence[Run], store: Store, data_dir: Path, jobs: int = 1, dask: str | None = None, title: str = "") -> None:
    """Make the runs that `store` does not have, and keep each as it ends.

    jobs: processes on this machine. dask: the address of a scheduler, whose workers make the runs instead. title: of the progress
    bar. Whatever ends the sweep, only the runs that were still going on are lost. Raises `InputError`.
    """
    missing = store.missing(runs)
    with ProgressBar(len(missing), "run", quiet=not missing, title=title) as bar:
        for place, record in _made(missing, data_dir, jobs, dask):
            store.append(missing[place], record)
            bar.update()


def _made(runs: Sequence[Run], data_dir: Path, jobs: int, dask: str | None) -> Iterator[Made]:
    """The runs in the order in which they end."""
    if dask and runs:
        yield from _on_cluster(runs, data_dir, dask)
    elif jobs == 1:
        yield from (_make(place, run, data_dir) for place, run in enumerate(runs))
    else:
        import joblib

        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        yield from parallel(joblib.delayed(_make)(place, run, data_dir) for place, run in enumerate(runs))


def _make(place: int, run: Run, data_dir: Path) -> Made:
    return Made(place, run.record(data_dir))


def _on_cluster(runs: Sequence[Run], data_dir: Path, address: str) -> Iterator[Made]:
    """The same on the workers of a Dask scheduler. Raises `InputError`."""
    from models.devices.on_dask import connect

    with connect(address) as client:
        from dask.distributed import as_completed

        futures = [client.submit(_make, place, run, data_dir.resolve(), pure=False) for place, run in enumerate(runs)]
        for future in as_completed(futures):
            yield future.result()
