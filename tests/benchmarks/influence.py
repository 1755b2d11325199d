"""Benchmark of RDIA, one thread, all in one run: ratios are medians of five.

    python -m tests.benchmarks.influence      # or: make benchmark; about three minutes

MNIST is taken from RDIA_DATA (or data/downloads); real-sim is a generated stand-in of its shape.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from data.dataset import load
from data.libsvm import read_libsvm
from data.noise import flip_share
from data.streams import generator
from influence import Fit, logistic_influence
from models.logistic_regression import fit_logistic
from run.flags import Parser, add_data_dir
from run.records import ROOT
from run.script import run_script
from tests.benchmarks.generate import write_real_sim_like

REPEATS = 5
C = 0.1
FITS = ("ERM", "Random", "Dropout", "RDIA")
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def influence_over_fit(dataset: str, data_dir: Path, noise: float) -> str:
    """Seconds of Phi and eta for all samples over those of the fit before them."""
    data = load(dataset, data_dir, 1)
    x, validation = data.train.x, data.validation
    labels = flip_share(data.train.labels, noise, generator(1, "noise")).labels
    ratios, fits, influences = [], [], []
    for _ in range(REPEATS):
        w, fit_seconds = timed(lambda: fit_logistic(x, labels, C))

        def influence(w: np.ndarray = w) -> object:
            return logistic_influence(Fit(x, labels, x @ w), Fit(validation.x, validation.labels, validation.x @ w), C)

        _, influence_seconds = timed(influence)
        ratios.append(influence_seconds / fit_seconds)
        fits.append(fit_seconds)
        influences.append(influence_seconds)
    return f"{median(ratios):.2f}   ({1e3 * median(influences):.0f} ms of {1e3 * median(fits):.0f} ms)"


PEAK = """
import runpy, sys
runpy.run_path("RDIA.py", run_name="__main__")
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1], file=sys.stderr)
"""


def process_over_fits(dataset: str, data_dir: Path) -> str:
    """Wall time of a whole process over its four fits plus a bare `import sklearn`; and its peak memory (Linux)."""
    ratios, walls, peaks = [], [], []
    command = [sys.executable, "-c", PEAK, "--dataset", dataset, "--data_dir", str(data_dir.resolve()), "--json", "--quiet"]
    for _ in range(REPEATS):
        _, bare = timed(lambda: subprocess.run([sys.executable, "-c", "import sklearn"], check=True, env=ONE_THREAD))
        ended, wall = timed(lambda: subprocess.run(command, capture_output=True, text=True, check=True, env=ONE_THREAD, cwd=ROOT))
        seconds = json.loads(ended.stdout)["seconds"]
        ratios.append(wall / (bare + sum(seconds[name] for name in FITS)))
        walls.append(wall)
        peaks.append(int(ended.stderr) / 1024)
    return f"{median(ratios):.2f}   ({median(walls):.2f} s), peak memory {max(peaks):.0f} MiB"


def cached_over_parsed(path: Path) -> str:
    """Seconds of a second read over the first."""
    cache = path.with_name(path.name + ".rdia-cache.npz")
    firsts, seconds = [], []
    for _ in range(REPEATS):
        cache.unlink(missing_ok=True)
        firsts.append(timed(lambda: read_libsvm(path))[1])
        seconds.append(timed(lambda: read_libsvm(path))[1])
    return f"{median(seconds) / median(firsts):.3f}   ({median(firsts):.2f} s, then {median(seconds):.3f} s)"


def main() -> None:
    flags = Parser("benchmark", __doc__)
    add_data_dir(flags.add_argument_group("data"))
    data_dir = flags.parse_args().data_dir
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        stand_in = write_real_sim_like(Path(folder), np.random.default_rng(0))
        print("second read of a LIBSVM file over the first (cache)")
        print(f"  real-sim's shape        {cached_over_parsed(stand_in)}")
        print("influence over liblinear's fit")
        for name, dataset, place in (("MNIST 1 vs 7", "mnist", data_dir), ("real-sim's shape", "realsim", Path(folder))):
            for noise in (0.0, 0.4, 0.8):
                print(f"  {name:<16} {noise:<4g}   {influence_over_fit(dataset, place, noise)}", flush=True)
        print("whole process over its fits and a bare import of scikit-learn")
        for name, dataset, place in (
            ("wdbc", "wdbc", data_dir),
            ("MNIST 1 vs 7", "mnist", data_dir),
            ("real-sim's shape", "realsim", Path(folder)),
        ):
            print(f"  {name:<23} {process_over_fits(dataset, place)}", flush=True)


if __name__ == "__main__":
    run_script("benchmark", main)
