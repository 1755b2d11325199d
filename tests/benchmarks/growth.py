"""Seconds and memory against the number of rows: data of avazu's shape in memory, in blocks on disk, and on Dask workers.

    python -m tests.benchmarks.growth                          # what is not kept yet; then the table and docs/growth.png
    python -m tests.benchmarks.growth --most 1000000           # no file of more rows than that
    python -m tests.benchmarks.growth --kept                   # no runs

A run is a process that loads a file, fits on 20% wrong labels, and computes all influences. It is kept as one JSON line in
tests/benchmarks/growth.jsonl. A file of 10 million rows takes 2.4 GB in TMPDIR, its parsed form 1.9 GB, while it is measured.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import psutil
import scipy.sparse as sp

from data.dataset import load
from data.noise import flip_share
from data.streams import generator
from Figure.lines import Run, Store
from Figure.tables import paste_into, place_of
from influence.logistic import logistic_hvp
from models.devices.placement import reader
from models.linear import LinearModel
from run.flags import Parser, count
from run.records import ROOT, Record
from run.script import run_script
from tests.benchmarks.generate import CATEGORIES, FIELDS, write_avazu_like
from tests.benchmarks.growth_plot import (
    APART,
    GROWTH_MODES,
    MANY,
    MANY_CLASSES,
    MANY_MOST,
    ROWS_EACH,
    SIZES,
    WEAK,
    WEAK_REPEATS,
    draw_growth,
    growth_table,
)
from tests.cluster import running

HERE = Path(__file__).resolve().parent
BLOCK_ROWS, NOISE, C = 100_000, 0.2, 0.1
TEST_ROWS = 10_000
PRODUCTS = 30  # as many as a fit's conjugate gradients take, or so
WORKERS = {"dask1": 1, "dask2": 2}
STAGES = ("load", "fit", "influence")


def measure(path: Path, block_rows: int | None, dask: str | None, workers: Sequence[int]) -> Record:
    """One fit and its influences, in this process: seconds by the clock and of CPU time, and the peak memory in MiB.

    workers: the process numbers of Dask's. CPU time: this process's and that of its busiest worker.
    """
    processes = [psutil.Process(number) for number in workers]
    times: list[list[float]] = []

    def tick() -> None:
        busy = [sum(process.cpu_times()[:2]) for process in processes]
        times.append([time.perf_counter(), time.process_time(), *busy])

    with reader(block_rows, dask) as read:
        tick()
        data = load(str(path), path.parent, 1, read=read)
        classes = len(data.classes)
        model, labels = LinearModel(classes, C), flip_share(data.train.labels, NOISE, generator(1, "noise"), classes).labels
        tick()
        x, x_validation = model.inputs(data.train.x), model.inputs(data.validation.x)
        weights = model.fit(x, labels)
        tick()
        scores = model.influence(x, labels, x_validation, data.validation.labels, weights)
        tick()
    taken = np.diff(times, axis=0)  # (stages, clocks)
    cpu = taken[:, 1] + taken[:, 2:].max(axis=1, initial=0.0)
    return {
        "seconds": dict(zip(STAGES, taken[:, 0].tolist(), strict=True)),
        "cpu": dict(zip(STAGES, cpu.tolist(), strict=True)),
        "peak": peak(os.getpid()),
        "peaks": [peak(number) for number in workers],
        "stored": data.train.x.nnz,
        "residual": scores.residual,
    }


def peak(process: int) -> float:
    """The most memory that a process has had, MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[list[str]]:
    """The flags for so many Dask workers: none for none."""
    if not workers:
        yield []
        return
    with running(folder, workers, "--memory-limit", "0") as there:
        nannies = [psutil.Process(nanny.pid) for nanny in there.workers]
        numbers = [max(nanny.children(), key=lambda child: child.memory_info().rss).pid for nanny in nannies]
        yield ["--dask", there.address, "--workers", *map(str, numbers)]


def make(path: Path, rows: int, mode: str, _: Path) -> Record:
    """Measure in a process of its own, started anew, and its workers too."""
    command = [sys.executable, "-m", "tests.benchmarks.growth", "--one", str(path)]
    command += ["--block_rows", str(BLOCK_ROWS)] if mode in {"disk", MANY} else []
    if mode in APART:
        return apart(1 + APART.index(mode), rows)
    with cluster(WORKERS.get(mode, 0), path.parent) as flags:
        return json.loads(subprocess.run([*command, *flags], cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def products(rows: int, ready: Barrier, taken: "Queue[float]") -> None:
    """Seconds of Hessian-vector products over so many rows, from the moment that all processes are ready."""
    draw = np.random.default_rng(0)
    columns = draw.integers(0, FIELDS * CATEGORIES, rows * FIELDS, dtype=np.int32)
    x = sp.csr_array((np.ones(len(columns)), columns, np.arange(0, len(columns) + 1, FIELDS, dtype=np.int32)))
    times = logistic_hvp(x, draw.random(rows))
    vector = draw.random(x.shape[1])
    ready.wait()
    begun = time.perf_counter()
    for _ in range(PRODUCTS):
        times(vector)
    taken.put(time.perf_counter() - begun)


def apart(processes: int, rows: int) -> Record:
    """Seconds of the slowest of some processes that have their own rows each and send nothing: what the machine can do."""
    start = get_context("spawn")
    taken: Queue[float] = start.Queue()
    given = (rows // processes, start.Barrier(processes), taken)
    started = [start.Process(target=products, args=given) for _ in range(processes)]
    for process in started:
        process.start()
    seconds = max(taken.get() for _ in started)
    for process in started:
        process.join()
    return {"seconds": {"product": seconds}}


def runs(path: Path, rows: int) -> list[Run]:
    """Every mode on one file; and the repeats of what weak scaling compares."""
    modes = [(mode, 0) for mode in GROWTH_MODES if rows in SIZES and mode != MANY]
    pairs = [*product(ROWS_EACH, enumerate(WEAK, 1)), *product(ROWS_EACH[:1], enumerate(APART, 1))]
    modes += [(mode, seed) for each, (workers, mode) in pairs for seed in range(WEAK_REPEATS[each]) if workers * each == rows]
    return [
        Run("growth", {"rows": rows, "mode": mode, "seed": seed}, partial(make, path, rows, mode))
        for mode, seed in dict.fromkeys(modes)
    ]


def runs_of_many(path: Path, rows: int) -> list[Run]:
    """The mode with more classes."""
    return [Run("growth", {"rows": rows, "mode": MANY, "seed": 0}, partial(make, path, rows, MANY))]


def measure_all(store: Store, most: int) -> None:
    """Make what is not kept, file by file."""
    for rows in (size for size in sorted({*SIZES, *(workers * each for workers in (1, 2) for each in ROWS_EACH)}) if size <= most):
        measure_file(store, rows, runs, 2)
        if rows in SIZES and rows <= MANY_MOST:
            measure_file(store, rows, runs_of_many, MANY_CLASSES)


def measure_file(store: Store, rows: int, wanted: Callable[[Path, int], list[Run]], classes: int) -> None:
    """Make what is not kept of one file, which is written for it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.svm"
        missing = store.missing(wanted(path, rows))
        if missing:
            write_avazu_like(path, rows, np.random.default_rng(rows), classes)
            write_avazu_like(path.with_name("a.svm.t"), TEST_ROWS, np.random.default_rng(1), classes)
        for run in missing:
            store.append(run, run.record(path.parent))
            print(run.config, store.read("growth")[-1]["seconds"], flush=True)


def main() -> None:
    flags = Parser("growth", __doc__)
    flags.add_argument("--most", type=count, default=max(SIZES), help="the largest number of rows")
    flags.add_argument("--kept", action="store_true", help="make no runs")
    flags.add_argument("--one", type=Path, help="measure one file in this process")
    flags.add_argument("--block_rows", type=count)
    flags.add_argument("--dask")
    flags.add_argument("--workers", type=int, nargs="*", default=[])
    given = flags.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.block_rows, given.dask, given.workers)))
        return
    store = Store(HERE)
    if not given.kept:
        measure_all(store, given.most)
    lines = store.read("growth")
    draw_growth(lines, ROOT / "docs" / "growth.png")
    paste_into(place_of("growth"), "growth", growth_table(lines))


if __name__ == "__main__":
    run_script("growth", main)
