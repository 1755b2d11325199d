"""The same answer every time: the metrics of fixed runs by a Python and a number of threads, beside those of this one.

    python -m tests.same                                     # twice over, one thread and two: to the byte?
    python -m tests.same --pythons .venv-3.12/bin/python .venv-3.13/bin/python

It prints, for each way to run, how many metrics differ at all and the largest relative difference.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from run.flags import Parser
from run.script import run_script
from tests.invoke import ROOT

RUNS = {
    "RDIA wdbc": ("RDIA.py",),
    "RDIA digits10, auto": ("RDIA.py", "--dataset", "digits10", "--alpha", "auto", "--relabel", "auto"),
    "RDIA digits10, MLP": ("RDIA.py", "--dataset", "digits10", "--model", "mlp", "--alpha", "0"),
    "RDIA-LS digits": ("RDIA-LS.py", "--n_epoch", "6", "--init_epoch", "2"),
    "RDIA-LS co-teaching": ("RDIA-LS.py", "--n_epoch", "4", "--init_epoch", "2", "--method", "co-teaching"),
}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TIMES = ("seconds",)


def metrics(run: tuple[str, ...], python: str = sys.executable, threads: int = 1) -> dict[str, Any]:
    """What a run prints, but for its times."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    command = [python, *run, "--json", "--quiet"]
    record = json.loads(subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout)
    return {name: value for name, value in record.items() if name not in TIMES}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All values of a record by the way to them."""
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, f"{path}/{name}")
    else:
        yield path, value


def difference(first: Any, second: Any) -> tuple[int, float]:
    """How many values of two records differ, and the largest relative difference; infinite where they are no numbers."""
    one: dict[str, Any] = dict(leaves(first))
    other: dict[str, Any] = dict(leaves(second))
    count, largest = 0, 0.0
    for path in one.keys() | other.keys():
        a: Any = one.get(path)
        b: Any = other.get(path)
        if a != b:
            numbers = isinstance(a, int | float) and isinstance(b, int | float)
            largest = max(largest, abs(a - b) / max(abs(a), abs(b)) if numbers else math.inf)
            count += 1
    return count, largest


def main() -> None:
    flags = Parser("same", __doc__)
    flags.add_argument("--pythons", nargs="*", default=[], help="interpreters with the packages of requirement.txt")
    others = flags.parse_args().pythons
    for name, run in RUNS.items():
        first = metrics(run)
        ways = [("again", sys.executable, 1), ("two threads", sys.executable, 2), *((python, python, 1) for python in others)]
        for way, python, threads in ways:
            count, largest = difference(first, metrics(run, python, threads))
            total = len(dict(leaves(first)))
            print(f"{name}, {way}: {count} of {total} values differ, by {largest:.1e} at most", flush=True)


if __name__ == "__main__":
    run_script("same", main)
