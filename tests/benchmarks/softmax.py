"""Benchmark of softmax regression and its influences, one thread, all in one run.

    python -m tests.benchmarks.softmax --data_dir DIR      # four minutes

CPU seconds of a fit, and of the influences of all rows and labels at a relative residual of 1e-8, over those of scikit-learn's
LogisticRegression(solver="lbfgs", fit_intercept=False) of the same C at the same gradient, medians of the ratios: text of 500 to
100,000 columns, for several C; and dense pictures, where scikit-learn is stopped long before, so that it takes more than that.
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
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from data.noise import redraw_labels
from data.public import mnist_part
from influence.softmax import SoftmaxFit, softmax_influence
from models.softmax_regression import Problem, fit_softmax
from run.flags import Parser, add_data_dir
from run.script import run_script
from tests.benchmarks.generate import pictures_like, text_like

C, RTOL, REPEATS = 0.1, 1e-6, 5
ROWS, COLUMNS, CLASSES, STORED = 15_935, 62_061, 20, 80  # news20
NOISE = 0.2  # of the labels of text and pictures
WORDS = 13  # of a short text, 12 of them different
TOLERANCES = (1e-8, 1e-9, 1e-10, 1e-11, 1e-12)  # of scikit-learn; the first that reaches the gradient is taken
REACHED = 1.5e-7  # of |grad J(0)|: scikit-learn ends by the fall of J as well, now and then a little before ours


class Data(NamedTuple):
    """Rows with their labels."""

    x: Any
    labels: np.ndarray
    classes: int


def seconds(call: Callable[[], object]) -> float:
    """Of the processor."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def gradient_norm(data: Data, c: float, w: np.ndarray) -> float:
    """|grad J(W)| / |grad J(0)|."""
    problem = Problem(data.x, data.labels, data.classes, c, np.zeros(len(data.labels), dtype=bool))
    return float(np.linalg.norm(problem.gradient(w)) / np.linalg.norm(problem.gradient(np.zeros_like(w))))


def scikit_learn(data: Data, c: float, tolerance: float, most: int) -> LogisticRegression:
    with catch_warnings():
        simplefilter("ignore")  # of most iterations
        return LogisticRegression(C=c, fit_intercept=False, tol=tolerance, max_iter=most).fit(data.x, data.labels)


def against_scikit_learn(name: str, data: Data, c: float, repeats: int, most: int = 10_000) -> None:
    """Print the ratios; scikit-learn stops after `most` iterations."""
    reached = np.inf
    for tolerance in TOLERANCES if most == 10_000 else TOLERANCES[:1]:
        if reached > REACHED:
            taken, reached = tolerance, gradient_norm(data, c, scikit_learn(data, c, tolerance, most).coef_)
    w = fit_softmax(data.x, data.labels, data.classes, c)
    fit = SoftmaxFit(data.x, data.labels, data.x @ w.T)
    third = SoftmaxFit(*(part[: len(data.labels) // 3] for part in fit))
    rounds = [
        (
            seconds(lambda: scikit_learn(data, c, taken, most)),
            seconds(lambda: fit_softmax(data.x, data.labels, data.classes, c)),
            seconds(lambda: softmax_influence(fit, third, c)),
        )
        for _ in range(repeats)
    ]
    ours, influence, own = (median(r[a] / r[b] for r in rounds) for a, b in ((1, 0), (2, 0), (2, 1)))
    print(f"{name}, C = {c:g}: fit {ours:.2f}, influence {influence:.2f} of scikit-learn's fit ({own:.2f} of ours);", end=" ")
    print(f"{median(r[0] for r in rounds):.3g} s, gradient {reached:.1e}, ours {gradient_norm(data, c, w):.1e}", flush=True)


def texts() -> None:
    for columns in (500, 1_000, 2_000, 4_000, 12_000):
        data = Data(*text_like((1_900, columns), 5, WORDS, NOISE, np.random.default_rng(0)), 5)
        for c in (0.1, 1.0, 10.0):
            against_scikit_learn(f"text of 1,900 x {columns:,}, 5 classes", data, c, 5)
    data = Data(*text_like((11_000, 100_000), 20, 66, NOISE, np.random.default_rng(0)), 20)
    for c in (0.1, 1.0, 10.0):
        against_scikit_learn("text of 11,000 x 100,000, 20 classes", data, c, 1)


def pictures() -> None:
    data = Data(*pictures_like(10_000, 10, NOISE, np.random.default_rng(0)), 10)
    against_scikit_learn("pictures of 3,072 pixels, 10,000 in 10 classes", data, C, 1, 200)


def dense(data_dir: Path) -> None:
    train, test = (mnist_part(data_dir / "MNIST" / "raw", part) for part in ("train", "t10k"))
    x, x_validation = (part.x.reshape(-1, 784) / 255.0 for part in (train, test))
    labels = redraw_labels(train.labels, 10, 0.5, "symmetric", np.random.default_rng(1)).labels
    del train
    begin = peak()
    begun = time.process_time()
    w = fit_softmax(x, labels, 10, C)
    fitted = time.process_time() - begun
    fits = SoftmaxFit(x, labels, x @ w.T), SoftmaxFit(x_validation, test.labels, x_validation @ w.T)
    problem = Problem(x, labels, 10, C, np.zeros(len(labels), dtype=bool))
    gradient = median(seconds(lambda: problem.gradient(w)) for _ in range(REPEATS))
    taken = median(seconds(lambda: softmax_influence(*fits, C, RTOL)) for _ in range(REPEATS))
    found = softmax_influence(*fits, C, RTOL).solution
    print(f"MNIST, ten classes: fit {fitted:.2f} s,", end=" ")
    print(f"influence over a gradient {taken / gradient:.1f} ({taken:.2f} s of {gradient:.3f} s),")
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
            # First, because the peak of a child is at least its parent's.
            subprocess.run([sys.executable, "-m", "tests.benchmarks.softmax", "--sparse"], check=True)
            dense(given.data_dir)
            texts()
            pictures()


if __name__ == "__main__":
    run_script("benchmark", main)
