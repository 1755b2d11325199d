"""A Dask cluster on this machine, of processes started by Dask's own commands, for tests and benchmarks."""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.invoke import ROOT

STARTS, ENDS = 60, 15  # seconds within which it does


class Running(NamedTuple):
    """What is running."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]  # a nanny each, whose child is the worker; more may be added


@contextmanager
def running(folder: Path, workers: int, *flags: str) -> Iterator[Running]:
    """A scheduler and workers of one thread each, with further flags of `dask worker`."""
    from dask.distributed import Client

    file = folder / "scheduler.json"
    scheduler, started = _dask("scheduler", "--port", "0", "--scheduler-file", str(file)), list[subprocess.Popen[bytes]]()
    try:
        deadline = time.monotonic() + STARTS
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        started += [worker(address, folder, *flags) for _ in range(workers)]
        gc.collect()  # a client of an earlier test that is collected while this one starts would wait for it, and it for that one
        with Client(address, timeout=STARTS) as client:
            if workers:
                client.wait_for_workers(workers, timeout=STARTS)
        yield Running(address, scheduler, started)
    finally:
        processes = [*started, scheduler]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(ENDS)
            except subprocess.TimeoutExpired:  # a nanny whose worker is being restarted may not hear
                process.kill()
                process.wait()
        file.unlink(missing_ok=True)


def worker(address: str, folder: Path, *flags: str) -> subprocess.Popen[bytes]:
    """A worker of one thread."""
    return _dask("worker", address, "--nthreads", "1", "--local-directory", str(folder), *flags)


def _dask(*flags: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *flags, "--no-dashboard"]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
