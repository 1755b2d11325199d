"""Benchmark of RDIA beside what a user would take instead: cleanlab, pyDVL and dattri. One thread, CPU seconds, all in one run.

    python3.11 -m venv peers && peers/bin/python -m pip install -r requirement-peers.txt
    peers/bin/python -m tests.benchmarks.peers      # ten minutes; a peer that is not installed is left out

Repair: text and a table of 5,000 rows, 30% of their labels redrawn, 300 trusted rows; CPU seconds of `fit`, in multiples of one fit
of scikit-learn's LogisticRegression, and peak memory, each in a process of its own, medians of three. CleanLearning uses no trusted
rows, and takes C as it is; with LogisticRegressionCV it chooses C among five, as RDIA does.

Influence: of all training rows on the summed loss of 1,000 validation rows, of one logistic regression. The values compared are
-g_i^T (X^T diag(p (1 - p)) X + I / C)^-1 sum_j g_j: Phi / C, and the negative of what the peers give for the summed loss with the
regularization 1 / C. Each is called in the way that is fastest: the validation set is one sample, so that there is one right-hand
side; rows are one batch; they are dense, as the peers want them, before the clock starts. An answer is the same where it is ours to
1e-6 of the largest value. dattri's conjugate gradients make as many iterations as they are told: the least of 10, 20, 40, ... that
gives the same. Medians of the ratios of three rounds.
"""

import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from threadpoolctl import threadpool_limits

from data.noise import redraw_labels
from influence import Fit, logistic_influence
from influence.logistic import Matrix, loss_gradient
from influence.solvers import RTOL
from models.estimator import RDIAClassifier
from models.logistic_regression import fit_logistic
from models.repair import GRID
from run.flags import Parser
from run.records import ROOT
from run.script import run_script
from tests.benchmarks.generate import pictures_like, table_like, text_like

REPEATS = 3
NOISE, TRUSTED, TEST = 0.3, 300, 1_000
WORDS = 40  # of a text
SAME = 1e-6  # of the largest value
MOST_ITERATIONS = 5_120
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
REPAIRS = (
    ("text", 5_000, 5_000, 2),
    ("text", 5_000, 5_000, 5),
    ("text", 1_900, 4_000, 5),
    ("table", 5_000, 50, 2),
    ("table", 5_000, 50, 5),
    ("pictures", 1_000, 3_072, 10),
)
INFLUENCES = (("text", 5_000, 1_000, 1.0), ("table", 10_000, 200, 0.1), ("table", 10_000, 800, 0.1))


class Rows(NamedTuple):
    """Features, and labels from 0."""

    x: Matrix  # (n, d)
    labels: np.ndarray  # (n,)


class Case(NamedTuple):
    """Training rows with wrong labels, and others with right ones."""

    train: Rows
    trusted: Rows
    test: Rows


def made(kind: str, rows: int, columns: int, classes: int) -> Case:
    """The same in every process."""
    rng, shape = np.random.default_rng(0), (rows + TRUSTED + TEST, columns)
    makers = {
        "text": lambda: text_like(shape, classes, WORDS, 0.0, rng),
        "table": lambda: table_like(shape, classes, rng),
        "pictures": lambda: pictures_like(shape[0], classes, 0.0, rng),
    }
    x, truth = makers[kind]()
    given = truth.copy()
    given[:rows] = redraw_labels(truth[:rows], classes, NOISE, "symmetric", rng).labels
    parts = slice(rows), slice(rows, rows + TRUSTED), slice(rows + TRUSTED, None)
    return Case(*(Rows(x[part], given[part]) for part in parts))


def seconds(call: Callable[[], object]) -> float:
    """Of the processor."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def missing(package: str) -> str | None:
    """A line that says how to install it; None where it is installed."""
    if find_spec(package):
        return None
    return f"{package}: not installed, left out; python -m pip install -r requirement-peers.txt, in an environment of its own"


# repair


def cleaned(simple: Any, case: Case) -> Any:
    from cleanlab.classification import CleanLearning

    return CleanLearning(simple, seed=0, find_label_issues_kwargs={"n_jobs": 1}).fit(*case.train)


METHODS: dict[str, Callable[[Case], Any]] = {
    "RDIA, 300 trusted rows": lambda case: RDIAClassifier(random_state=0).fit(*case.train, *case.trusted),
    "RDIA, no trusted rows": lambda case: RDIAClassifier(random_state=0).fit(*case.train),
    "CleanLearning": lambda case: cleaned(LogisticRegression(max_iter=1_000), case),
    "CleanLearning, C chosen": lambda case: cleaned(LogisticRegressionCV(Cs=GRID, max_iter=1_000), case),
}


def repair_once(method: str, *size: Any) -> dict[str, float]:
    """CPU seconds of the fit, of one of scikit-learn's, accuracy on the test rows, and the peak memory of this process."""
    case, repair = made(*size), METHODS[method]
    some = Case(*(Rows(part.x[:TRUSTED], part.labels[:TRUSTED]) for part in case))
    simple = LogisticRegression(max_iter=1_000)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        repair(some)  # what is imported late counts for nobody
        unit = median(seconds(lambda: simple.fit(*case.train)) for _ in range(REPEATS))
        begin = time.process_time()
        model = repair(case)
        taken = time.process_time() - begin
        accuracy = float(np.mean(model.predict(case.test.x) == case.test.labels))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {"unit": unit, "seconds": taken, "accuracy": accuracy, "peak": peak}


def repairs(kind: str, rows: int, columns: int, classes: int) -> None:
    """Print a line for each method, by turns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in METHODS if "Clean" not in name or not missing("cleanlab")}
    for _ in range(REPEATS):
        for name, runs in found.items():
            size = json.dumps([name, kind, rows, columns, classes])
            command = [sys.executable, "-m", "tests.benchmarks.peers", "--repair", size]
            ended = subprocess.run(command, cwd=ROOT, env=ONE_THREAD, stdout=subprocess.PIPE, text=True, check=True)
            runs.append(json.loads(ended.stdout.splitlines()[-1]))
    print(f"{kind} of {rows:,} x {columns:,}, {classes} classes")
    for name, runs in found.items():
        ratio = median(run["seconds"] / run["unit"] for run in runs)
        taken, accuracy, peak = (median(run[key] for run in runs) for key in ("seconds", "accuracy", "peak"))
        print(f"  {name:<24} {ratio:6.1f} fits ({taken:5.2f} s), {peak:4.0f} MiB, test accuracy {accuracy:.4f}", flush=True)


# influence


class Task(NamedTuple):
    """One logistic regression and its rows."""

    train: Rows
    validation: Rows
    w: np.ndarray  # (d,)
    C: float


def ours(task: Task) -> np.ndarray:
    train, validation = (Fit(part.x, part.labels, part.x @ task.w) for part in (task.train, task.validation))
    return np.asarray(logistic_influence(train, validation, task.C).phi) / task.C


class Tensors:
    """What the peers take: dense rows, a linear model, and its summed loss."""

    def __init__(self, task: Task) -> None:
        import torch

        torch.set_num_threads(1)
        self.C = task.C
        self.train, validation = (
            (torch.as_tensor(part.x.toarray() if sp.issparse(part.x) else part.x), torch.as_tensor(part.labels.astype(float)))
            for part in (task.train, task.validation)
        )
        self.validation = tuple(part[None] for part in validation)  # one sample
        self.model = torch.nn.Linear(len(task.w), 1, bias=False, dtype=torch.float64)
        with torch.no_grad():
            self.model.weight.copy_(torch.as_tensor(task.w)[None])
        gradient = loss_gradient(*task.validation, task.validation.x @ task.w)
        self.residual = RTOL * float(np.linalg.norm(gradient))  # that ours may leave

    @staticmethod
    def loss(logits: Any, labels: Any) -> Any:
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(logits.flatten(), labels.flatten(), reduction="sum")


def one_batch(rows: tuple[Any, ...]) -> Any:
    """A loader that takes all rows at a time, by one index, not one by one."""
    from torch.utils.data import DataLoader, TensorDataset

    class Whole(TensorDataset):
        def __getitems__(self, places: list[int]) -> Any:
            return self[places]

    return DataLoader(Whole(*rows), batch_size=len(rows[0]), collate_fn=lambda batch: batch)


def by_pydvl(data: Tensors, direct: bool) -> np.ndarray:
    from pydvl.influence.torch import CgInfluence, DirectInfluence

    # CgInfluence stops at a residual of atol squared.
    influence = (
        DirectInfluence(data.model, data.loss, regularization=1 / data.C)
        if direct
        else CgInfluence(data.model, data.loss, regularization=1 / data.C, rtol=0.0, atol=data.residual**0.5)
    )
    influence = influence.fit(one_batch(data.train))
    factors = influence.influence_factors(*data.validation)
    return -influence.influences_from_factors(factors, *data.train)[0].detach().numpy()


def by_dattri(data: Tensors, iterations: int | None) -> np.ndarray:
    """By the explicit Hessian where no iterations are given."""
    from dattri.algorithm.influence_function import IFAttributorCG, IFAttributorExplicit
    from dattri.task import AttributionTask
    from torch.func import functional_call

    def loss(parameters: Any, rows: Any) -> Any:
        return data.loss(functional_call(data.model, parameters, rows[0]), rows[1])

    task = AttributionTask(loss, data.model, data.model.state_dict())
    attributor = (
        IFAttributorCG(task, max_iter=iterations, regularization=1 / data.C)
        if iterations
        else IFAttributorExplicit(task, regularization=1 / data.C)
    )
    attributor.cache(one_batch(data.train))
    return -attributor.attribute(one_batch(data.train), one_batch(data.validation))[:, 0].detach().numpy()


def apart(values: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.abs(values - wanted).max() / np.abs(wanted).max())


def enough_iterations(data: Tensors, wanted: np.ndarray) -> int | None:
    """The least of 10, 20, 40, ... by which dattri gives the same; None if there is none."""
    count = 10
    while count <= MOST_ITERATIONS:
        if apart(by_dattri(data, count), wanted) <= SAME:
            return count
        count *= 2
    return None


def ways(data: Tensors, wanted: np.ndarray) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Each installed peer's exact ways."""
    if not missing("pydvl"):
        yield "pyDVL, DirectInfluence", lambda: by_pydvl(data, True)
        yield "pyDVL, CgInfluence", lambda: by_pydvl(data, False)
    if not missing("dattri"):
        yield "dattri, IFAttributorExplicit", lambda: by_dattri(data, None)
        count = enough_iterations(data, wanted)
        if count:
            yield f"dattri, IFAttributorCG, {count}", lambda: by_dattri(data, count)
        else:
            print(f"  dattri, IFAttributorCG: not the same by {MOST_ITERATIONS:,} iterations")


def influences(kind: str, rows: int, columns: int, C: float) -> None:
    """Print a line for each way."""
    case = made(kind, rows, columns, 2)
    task = Task(case.train, case.test, fit_logistic(*case.train, C), C)
    wanted = ours(task)
    simple = LogisticRegression(C=C, fit_intercept=False, max_iter=1_000)
    print(f"{kind} of {rows:,} x {columns:,}, C = {C:g}")
    with redirect_stderr(StringIO()):  # bars of progress
        calls = dict(ways(Tensors(task), wanted)) if find_spec("torch") else {}
        answers = {name: call() for name, call in calls.items()}  # and what is imported late
        own, fits, taken = [], [], {name: list[float]() for name in calls}
        for _ in range(REPEATS):
            fits.append(seconds(lambda: simple.fit(*case.train)))
            own.append(seconds(lambda: ours(task)))
            for name, call in calls.items():
                taken[name].append(seconds(call))
    ratio = median(mine / fit for mine, fit in zip(own, fits, strict=True))
    print(f"  {'ours':<30} {median(own):8.4f} s, {ratio:.2f} of scikit-learn's fit", flush=True)
    for name, answer in answers.items():
        ratio = median(its / mine for its, mine in zip(taken[name], own, strict=True))
        print(f"  {name:<30} {median(taken[name]):8.4f} s, {ratio:6.1f} times ours;", end=" ")
        print(f"values apart by {apart(answer, wanted):.0e}, correlation {np.corrcoef(answer, wanted)[0, 1]:.6f}", flush=True)


def main() -> None:
    flags = Parser("tests.benchmarks.peers", __doc__)
    flags.add_argument("--repair", type=json.loads, help="one repair alone, in JSON: method, kind, rows, columns, classes")
    alone = flags.parse_args().repair
    if alone is not None:
        print(json.dumps(repair_once(*alone)))
        return
    for package in ("cleanlab", "pydvl", "dattri"):
        if line := missing(package):
            print(line)
    print("the whole repair, in fits of scikit-learn's LogisticRegression")
    for size in REPAIRS:  # first, because the peak of a child is at least its parent's
        repairs(*size)
    print("influence of all training rows on the summed validation loss")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for task in INFLUENCES:
            influences(*task)


if __name__ == "__main__":
    run_script("tests.benchmarks.peers", main)
