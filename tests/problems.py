"""Data for the tests, and an independent fit of logistic regression to a tiny gradient."""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_digits

from data.dataset import Dataset
from data.matrix import Features
from data.source import Part

C = 0.1


class Problem(NamedTuple):
    x: np.ndarray  # (n, d), dense
    labels: np.ndarray  # (n,) 0 or 1, a third of them wrong
    x_validation: np.ndarray
    labels_validation: np.ndarray


def wdbc() -> Problem:
    x, y = load_breast_cancer(return_X_y=True)
    return _problem((x - x.mean(axis=0)) / x.std(axis=0), y)


def digits() -> Problem:
    x, y = load_digits(return_X_y=True)
    pair = (y == 1) | (y == 7)
    return _problem(x[pair] / 16, (y[pair] == 1).astype(int))


def sparse(seed: int = 0) -> Problem:
    """300 rows, 80 columns of which 5 are never used, 6 values a row, separable but for noise."""
    rng = np.random.default_rng(seed)
    x = sp.random_array((300, 80), density=0.075, rng=rng).toarray()
    x[:, 40:45] = 0
    return _problem(x, (x @ rng.standard_normal(80) > 0).astype(int))


def _problem(x: np.ndarray, y: np.ndarray) -> Problem:
    rng = np.random.default_rng(7)
    order = rng.permutation(len(y))
    n = 7 * len(y) // 10
    train, validation = order[:n], order[n:]
    return Problem(x[train], np.where(rng.random(n) < 1 / 3, 1 - y[train], y[train]), x[validation], y[validation])


def weighted_fit(x: np.ndarray, labels: np.ndarray, sample_weights: np.ndarray) -> np.ndarray:
    """argmin 1/2 |w|^2 + C sum_i omega_i l_i by plain Newton steps, to the last digit."""
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = w + C * x.T @ (sample_weights * (p - labels))
        w = w - np.linalg.solve(np.eye(len(w)) + C * (x.T * (sample_weights * p * (1 - p))) @ x, gradient)
    assert np.linalg.norm(gradient) < 1e-11
    return w


def validation_loss(problem: Problem, w: np.ndarray) -> float:
    """Summed cross-entropy over the validation rows, one at a time."""
    logits = problem.x_validation @ w
    return sum(np.log1p(np.exp(-z if y else z)) for z, y in zip(logits, problem.labels_validation, strict=True))


def write_mnist(data_dir: Path, part: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Files as MNIST's are. part: "train" or "t10k"."""
    folder = data_dir / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
        (folder / f"{part}-{kind}-ubyte").write_bytes(header + array.astype(np.uint8).tobytes())


def dense(x: Features) -> np.ndarray:
    return x if isinstance(x, np.ndarray) else x.toarray()


def numbered(n: int, start: int = 0, labels: tuple[str, str] = ("-1", "+1")) -> str:
    """LIBSVM rows that tell their own number: column 1 is the row + 1, column 2 is 1, the label goes with the row's parity."""
    return "".join(f"{labels[row % 2]} 1:{row + 1} 2:1\n" for row in range(start, start + n))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def assert_rows_are_the_sources(*parts: Part, start: int = 0) -> None:
    for part in parts:
        assert dense(part.x)[:, 0].tolist() == (part.rows + start + 1).tolist()
        assert part.labels.tolist() == ((part.rows + start) % 2).tolist()


def sizes(dataset: Dataset) -> tuple[int, int, int]:
    return len(dataset.train.labels), len(dataset.validation.labels), len(dataset.test.labels)


def all_rows(*parts: Part) -> list[int]:
    return np.concatenate([part.rows for part in parts]).tolist()
