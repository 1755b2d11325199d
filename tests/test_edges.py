"""Numbers at the edge: whole runs on data at which arithmetic could fail end in finite numbers or in one clear line."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from tests.invoke import Ended, Invoke, script

RDIA, RDIA_LS = script("RDIA"), script("RDIA-LS")
N = 40


def separable(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    return np.column_stack([100.0 * y, rng.random(N)])


def constant(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    return np.column_stack([np.full(N, 3.0), np.zeros(N), rng.standard_normal(N) + y])


def all_constant(_: np.random.Generator, __: np.ndarray) -> np.ndarray:
    return np.ones((N, 3))


def zeros(_: np.random.Generator, __: np.ndarray) -> np.ndarray:
    return np.zeros((N, 2))


def duplicates(_: np.random.Generator, y: np.ndarray) -> np.ndarray:
    return np.tile([1.0, 2.0], (N, 1)) * (1 + y[:, None])


def wide(rng: np.random.Generator, _: np.ndarray) -> np.ndarray:
    return rng.standard_normal((N, 500))


def single(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    return rng.standard_normal((N, 1)) + y[:, None]


def floats(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    return (rng.standard_normal((N, 3)) + y[:, None]).astype(np.float32)


def halves(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    return (rng.standard_normal((N, 3)) + y[:, None]).astype(np.float16)


def scaled(by: float) -> Callable[[np.random.Generator, np.ndarray], np.ndarray]:
    return lambda rng, y: (rng.standard_normal((N, 3)) + y[:, None]) * by


def mixed(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    return (rng.standard_normal((N, 3)) + y[:, None]) * [1e-300, 1.0, 1e12]


DATA = {
    "separable": separable,
    "constant features": constant,
    "all constant": all_constant,
    "zeros": zeros,
    "duplicate rows": duplicates,
    "n < d": wide,
    "d = 1": single,
    "float32": floats,
    "float16": halves,
    "1e300": scaled(1e300),
    "1e155": scaled(1e155),
    "1e30": scaled(1e30),
    "1e8": scaled(1e8),
    "1e-30": scaled(1e-30),
    "1e-155": scaled(1e-155),
    "1e-300": scaled(1e-300),
    "1e-320": scaled(1e-320),
    "1e-300 beside 1e12": mixed,
}
MODELS: dict[str, tuple[object, ...]] = {
    "linear": (),
    "cg": ("--solver", "cg"),
    "best": ("--relabel", "best"),
    "auto": ("--alpha", "auto"),
    "all relabeled": ("--alpha", 0, "--noise", 0),
    "all wrong": ("--noise", 0.99),
    "heavy": ("--C", 1e9),
    "light": ("--C", 1e-9),
    "mlp": ("--model", "mlp", "--n_epoch", 1),
}
QUICK = ("linear", "all relabeled")


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    return Invoke(RDIA, "RDIA.py", monkeypatch, capsys)


def numbers(value: Any) -> Iterator[float]:
    """All numbers in a record."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers(part)
    elif isinstance(value, int | float):
        yield value


def assert_ended_well(ended: Ended) -> None:
    """Finite numbers, or one line."""
    if ended.status == 0:
        assert all(map(math.isfinite, numbers(json.loads(ended.out))))
    else:
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1), ended


MARKED = [pytest.param(model, marks=[] if model in QUICK else [pytest.mark.slow]) for model in MODELS]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", MARKED)
@pytest.mark.parametrize("data", DATA)
def test_odd_data_give_finite_numbers_or_one_line(
    data: str, model: str, classes: int, tmp_path: Path, invoke: Callable[..., Ended]
) -> None:
    y = np.arange(N) % classes
    np.savez(tmp_path / "a.npz", x_train=DATA[data](np.random.default_rng(0), y), y_train=y)
    assert_ended_well(invoke("--dataset", tmp_path / "a.npz", "--noise", 0.2, "--json", "--quiet", *MODELS[model]))


@pytest.mark.parametrize("data", DATA)
def test_odd_data_in_blocks_give_finite_numbers_or_one_line(data: str, tmp_path: Path, invoke: Callable[..., Ended]) -> None:
    y = np.arange(N) % 2
    x = DATA[data](np.random.default_rng(0), y).astype(np.float64)
    for name in ("a.svm", "a.svm.t"):
        dump_svmlight_file(x, y, str(tmp_path / name), zero_based=False)
    assert_ended_well(invoke("--dataset", tmp_path / "a.svm", "--block_rows", 7, "--noise", 0.2, "--json", "--quiet"))


@pytest.mark.parametrize("rows", range(2, 9))
@pytest.mark.parametrize("flags", [(), ("--alpha", "auto"), ("--model", "mlp")])
def test_few_rows_give_finite_numbers_or_one_line(
    rows: int, flags: tuple[str, ...], tmp_path: Path, invoke: Callable[..., Ended]
) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.eye(rows, 3), y_train=np.arange(rows) % 2)
    assert_ended_well(invoke("--dataset", tmp_path / "a.npz", "--noise", 0.2, "--json", "--quiet", *flags))


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("method", ["rdia-ls", pytest.param("f-correction", marks=pytest.mark.slow)])
def test_networks_on_odd_data_give_finite_numbers_or_one_line(
    data: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    y = np.arange(N) % 3
    x = np.resize(DATA[data](np.random.default_rng(0), y), (N, 4, 4))
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y)
    flags = ("--dataset", tmp_path / "a.npz", "--batch_size", 8, "--n_epoch", 3, "--init_epoch", 1, "--json", "--quiet")
    assert_ended_well(Invoke(RDIA_LS, "RDIA-LS.py", monkeypatch, capsys)(*flags, "--method", method, "--result_dir", tmp_path))
