"""Benchmark of influence in softmax regression, one thread, all in one run.

    python -m tests.benchmarks.softmax --data_dir DIR      # three minutes

Phi and eta of every label for MNIST's 60,000 training pictures, half of their labels wrong, at a relative residual of 1e-6, over
one full-batch gradient of the same objective; and peak memory of a fit and its influences on sparse data of news20's shape.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from data.noise import redraw_labels
from data.public import mnist_part
from influence.softmax import SoftmaxFit, softmax_influence
from models.softmax_regression import Problem, fit_softmax
from run.flags import Parser, add_data_dir
from run.script import run_script

C, RTOL, REPEATS = 0.1, 1e-6, 5
ROWS, COLUMNS, CLASSES, STORED = 15_935, 62_061, 20, 80  # news20


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def dense(data_dir: Path) -> None:
    train, test = (mnist_part(data_dir / "MNIST" / "raw", part) for part in ("train", "t10k"))
    x, x_validation = (part.x.reshape(-1, 784) / 255.0 for part in (train, test))
    labels = redraw_labels(train.labels, 10, 0.5, "symmetric", np.random.default_rng(1)).labels
    del train
    begin = peak()
    w = fit_softmax(x, labels, 10, C)
    fits = SoftmaxFit(x, labels, x @ w.T), SoftmaxFit(x_validation, test.labels, x_validation @ w.T)
    problem = Problem(x, labels, 10, C, np.zeros(len(labels), dtype=bool))
    gradient = median(seconds(lambda: problem.gradient(w)) for _ in range(REPEATS))
    taken = median(seconds(lambda: softmax_influence(*fits, C, RTOL)) for _ in range(REPEATS))
    found = softmax_influence(*fits, C, RTOL).solution
    print(f"MNIST, ten classes: influence over a gradient {taken / gradient:.1f} ({taken:.2f} s of {gradient:.3f} s),")
    print(f"  {found.iterations} iterations, residual {found.residual:.1e}; data {x.nbytes / 2**20:.0f} MiB,", end=" ")
    print(f"peak memory {peak():.0f} MiB, {begin:.0f} before the fit")


def sparse() -> None:
    rng = np.random.default_rng(0)
    indices = np.minimum(rng.zipf(1.3, ROWS * STORED), COLUMNS) - 1
    x = sp.csr_array((np.ones(len(indices)), indices, np.arange(0, len(indices) + 1, STORED)), shape=(ROWS, COLUMNS))
    x.sum_duplicates()
    x = sp.csr_array(x.multiply(1 / np.sqrt(x.multiply(x).sum(axis=1))[:, None]))
    labels = (x @ rng.standard_normal((COLUMNS, CLASSES))).argmax(axis=1)
    w = fit_softmax(x, labels, CLASSES, C)
    fit = SoftmaxFit(x, labels, x @ w.T)
    taken = seconds(lambda: softmax_influence(fit, fit, C, RTOL))
    print(f"news20's shape: influence {taken:.2f} s, peak memory {peak():.0f} MiB")


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    flags = Parser("benchmark", __doc__)
    flags.add_argument("--sparse", action="store_true", help="the sparse part alone, for its peak memory")
    add_data_dir(flags.add_argument_group("data"))
    given = flags.parse_args()
    with threadpool_limits(1):
        if given.sparse:
            sparse()
        else:
            dense(given.data_dir)
            subprocess.run([sys.executable, "-m", "tests.benchmarks.softmax", "--sparse"], check=True)


if __name__ == "__main__":
    run_script("benchmark", main)
