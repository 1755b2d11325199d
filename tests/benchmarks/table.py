"""Benchmark of reading a table: 100,000 rows of 30 mixed columns, and the same by hand; a million short texts.

    python -m tests.benchmarks.table      # two minutes

Processor seconds, the fastest of 3, and the largest memory of a process of its own. The words are made up, 5,000 of them.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from data.dataset import OWN_ROWS, load
from run.flags import Parser
from run.records import ROOT
from run.script import run_script

ROWS, TEXTS, RUNS = 100_000, 1_000_000, 3
NUMBERS, CATEGORIES, TEXT_COLUMNS, DATES = (
    [f"{kind}{i}" for i in range(n)] for kind, n in (("n", 18), ("c", 8), ("t", 2), ("d", 2))
)


def texts(n: int, rng: np.random.Generator) -> list[str]:
    """Eight words each, some frequent and many rare."""
    words = np.array([f"w{i}" for i in range(5_000)])
    return [" ".join(row) for row in words[(rng.pareto(1.2, (n, 8)) * 20).astype(int) % len(words)]]


def mixed(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """30 columns and a label; a twentieth of the numbers are missing."""
    columns: dict[str, Any] = {name: np.where(rng.random(n) < 0.05, np.nan, rng.standard_normal(n).round(4)) for name in NUMBERS}
    columns |= {
        name: rng.integers(4 + 4 * i, size=n).astype(str) + np.array("v", dtype=object) for i, name in enumerate(CATEGORIES)
    }
    columns |= {name: texts(n, rng) for name in TEXT_COLUMNS}
    columns |= {name: pd.date_range("2020-01-01", periods=n, freq="h").strftime("%Y-%m-%d") for name in DATES}
    return pd.DataFrame({**columns, "label": rng.choice(["a", "b"], n)})


def by_program(path: Path) -> Any:
    return load(str(path), Path(), 1, OWN_ROWS).train.x


def by_hand(path: Path) -> Any:
    table = pd.read_csv(path)
    for name in DATES:
        table[name] = (pd.to_datetime(table[name]) - pd.Timestamp(0)) / pd.Timedelta("1D")
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    categories = OneHotEncoder(min_frequency=2, handle_unknown="infrequent_if_exist")
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, max_features=200_000)
    parts = [("numbers", numbers, NUMBERS + DATES), ("categories", categories, CATEGORIES)]
    return ColumnTransformer([*parts, *((name, words, name) for name in TEXT_COLUMNS)]).fit_transform(table)


def fastest(read: Callable[[Path], Any], path: Path) -> float:
    """Processor seconds, of the fastest run."""
    seconds = []
    for _ in range(RUNS):
        begin = time.process_time()
        read(path)
        seconds.append(time.process_time() - begin)
    return min(seconds)


def main() -> None:
    flags = Parser("tests.benchmarks.table", __doc__)
    flags.add_argument("--texts", type=Path, help="read this table of texts alone")
    if (alone := flags.parse_args().texts) is not None:
        begin, shape = time.process_time(), by_program(alone).shape
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{shape[0]:,} texts, {shape[1]:,} features: {time.process_time() - begin:.1f} s, at most {peak:.2f} GiB")
        return
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mixed.csv"
        mixed(ROWS, rng).to_csv(path, index=False)
        ours, hand = fastest(by_program, path), fastest(by_hand, path)
        print(f"{ROWS:,} rows x 30 columns: {ours:.1f} s, by hand {hand:.1f} s, ratio {ours / hand:.2f}", flush=True)
        path = Path(folder) / "texts.csv"
        pd.DataFrame({"text": texts(TEXTS, rng), "label": rng.choice(["a", "b"], TEXTS)}).to_csv(path, index=False)
        subprocess.run([sys.executable, "-m", "tests.benchmarks.table", "--texts", path], cwd=ROOT, check=True)


if __name__ == "__main__":
    run_script("tests.benchmarks.table", main)
