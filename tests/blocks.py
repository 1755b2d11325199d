"""A LIBSVM file, and runs of RDIA.py that are to give the same wherever its rows lie."""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

from tests.invoke import Invoke


def labelled_file(folder: Path, rows: int = 1200, first: int = 1, labels: tuple[int, int] = (1, -1)) -> Path:
    """A LIBSVM file of 60 columns, 5 values a row, a fifth of its labels wrong, and its test file."""
    rng = np.random.default_rng(rows)
    tilt = rng.standard_normal(60)
    for name, n in (("a.svm", rows), ("a.svm.t", rows // 3)):
        x = sp.csr_array(sp.random_array((n, 60), density=1 / 12, rng=rng))
        y = np.where((x @ tilt > 0) ^ (rng.random(n) < 0.2), *labels)
        y[0] = labels[0]
        dump_svmlight_file(x, y, str(folder / name), zero_based=first == 0)
    return folder / "a.svm"


def with_three_classes(path: Path) -> Path:
    """The same files, a third of whose labels are of a third class."""
    for file in (path, path.with_name("a.svm.t")):
        lines = file.read_text().splitlines()
        file.write_text("\n".join(f"2{line[line.index(' ') :]}" if number % 3 == 0 else line for number, line in enumerate(lines)))
    return path


def with_trusted_rows(path: Path, count: int) -> Path:
    """The same files, the first rows of the test file as validation rows."""
    lines = path.with_name("a.svm.t").read_text().splitlines(keepends=True)
    if count:
        path.with_name("a.svm.val").write_text("".join(lines[:count]))
        path.with_name("a.svm.t").write_text("".join(lines[count:]))
    return path


def matrix(x: Any) -> np.ndarray:
    """The rows as one dense array."""
    if hasattr(x, "blocks"):
        rows = np.vstack([block.toarray() for block in x.cluster.client.gather(list(x.blocks))])
        return rows[x.order]
    return x.toarray() if sp.issparse(x) else x


class Run(NamedTuple):
    record: dict[str, Any]
    relabeled: list[dict[str, str]]


def rdia(invoke: Invoke, path: Path, out: Path, *flags: object) -> Run:
    """A run of RDIA.py, without its seconds, and its relabeled.csv."""
    ended = invoke("--dataset", path, "--protocol", "paper", "--noise", 0.3, "--result_dir", out, "--json", "--quiet", *flags)
    assert (ended.status, ended.err) == (0, "")
    record = json.loads(ended.out)
    del record["seconds"]
    with (out / "relabeled.csv").open() as file:
        return Run(record, list(csv.DictReader(file)))


def auto(invoke: Invoke, path: Path, out: Path, *flags: object) -> tuple[dict[str, Any], np.ndarray]:
    """A run of RDIA.py by the protocol auto, without its seconds, and the numbers of its ranking.csv by training row."""
    ended = invoke("--dataset", path, "--protocol", "auto", "--result_dir", out, "--json", "--quiet", *flags)
    assert (ended.status, ended.err) == (0, "")
    record = json.loads(ended.out)
    del record["seconds"]
    with (out / "ranking.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["index"]))
    names = ("index", "p_wrong", *(["phi"] if "phi" in rows[0] else []), "self_confidence", "p_suggested", "listed")
    return record, np.array([[float(row[name]) for name in names] for row in rows])


def or_zero(numbers: dict[str, float | None]) -> list[float]:
    """The numbers, 0 for those that are not known."""
    return [value or 0.0 for value in numbers.values()]


def assert_alike(one: tuple[dict[str, Any], np.ndarray], other: tuple[dict[str, Any], np.ndarray]) -> None:
    """Equal but for the digits behind the rough stop of the repair's fits."""
    (first, mine), (second, its) = one, other
    np.testing.assert_allclose(mine, its, rtol=0, atol=1e-4)
    methods, wrong = ([run.pop(name) for run in (first, second)] for name in ("methods", "wrong_labels"))
    for name, splits in methods[0].items():
        for split, metrics in splits.items():
            assert or_zero(metrics) == pytest.approx(or_zero(methods[1][name][split]), rel=1e-3)
    assert or_zero(wrong[0]) == pytest.approx(or_zero(wrong[1]), rel=1e-3)
    assert first == second


def assert_same(one: Run, other: Run) -> None:
    """Equal but for the digits behind the stop of a fit, 1e-7 of the gradient."""
    first, second = ({name: value for name, value in run.record.items() if name != "residual"} for run in (one, other))
    methods, curves = [run.pop("methods") for run in (first, second)], [run.pop("curve", []) for run in (first, second)]
    assert methods[0].keys() == methods[1].keys()
    for name, splits in methods[0].items():
        for split, metrics in splits.items():
            its = methods[1][name][split]
            assert [value is None for value in metrics.values()] == [value is None for value in its.values()]  # no AUC of 3 classes
            assert or_zero(metrics) == pytest.approx(or_zero(its), rel=1e-5)
    assert len(curves[0]) == len(curves[1])
    for mine, its in zip(*curves, strict=True):
        assert (mine["relabel"], mine["changed"]) == (its["relabel"], its["changed"])
        assert (mine["alpha"], mine["loss"]) == pytest.approx((its["alpha"], its["loss"]), rel=1e-4, abs=1e-9)
    assert first.pop("alpha") == pytest.approx(second.pop("alpha"), rel=1e-4)
    assert first == second
    for rows in (one.relabeled, other.relabeled):
        rows.sort(key=lambda row: int(row["index"]))
    for mine, its in zip(one.relabeled, other.relabeled, strict=True):
        assert {name: mine[name] for name in ("index", "old_label", "new_label")}.items() <= its.items()
        for name in ("phi", "eta"):
            assert float(mine[name]) == pytest.approx(float(its[name]), rel=1e-4, abs=1e-6)
