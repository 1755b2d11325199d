"""Rows in blocks: on disk, and on the two workers of a Dask cluster that is started as the README says."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

import RDIA
from data.blocks import DiskVector
from data.dataset import Dataset, load
from data.errors import InputError
from data.in_blocks import load_in_blocks, on_disk
from data.libsvm import line_ranges, parse_libsvm, pieces, read_range
from influence import Fit, Influence, harmful, logistic_influence
from influence.rows import each, times
from models.devices.on_dask import PATIENCE, Cluster, cluster
from models.logistic_regression import fit_logistic, gradient
from tests.benchmarks.generate import write_avazu_like
from tests.cluster import Running, running, worker
from tests.invoke import ROOT, Ended, Invoke
from tests.problems import C, weighted_fit

SIZES = (1, 7, 1000, 10**9)


def write(folder: Path, rows: int = 1200, first: int = 1, labels: tuple[int, int] = (1, -1)) -> Path:
    """A LIBSVM file of 60 columns, 5 values a row, a fifth of its labels wrong, and its test file."""
    rng = np.random.default_rng(rows)
    tilt = rng.standard_normal(60)
    for name, n in (("a.svm", rows), ("a.svm.t", rows // 3)):
        x = sp.csr_array(sp.random_array((n, 60), density=1 / 12, rng=rng))
        y = np.where((x @ tilt > 0) ^ (rng.random(n) < 0.2), *labels)
        y[0] = labels[0]
        dump_svmlight_file(x, y, str(folder / name), zero_based=first == 0)
    return folder / "a.svm"


def in_blocks(path: Path, block_rows: int) -> Dataset:
    return load_in_blocks(str(path), path.parent, 1, read=lambda file: on_disk(file, block_rows))


def matrix(x: Any) -> np.ndarray:
    return np.vstack([block.toarray() for _, block in x.blocks()])


def weights(data: Dataset) -> np.ndarray:
    """The fit on a data set in memory."""
    x = data.train.x.toarray()
    return weighted_fit(x, data.train.labels, np.ones(len(x)))


def found(data: Dataset, w: np.ndarray) -> Influence:
    """Influences at some weights, wherever the rows lie."""
    train, validation = (
        Fit(x, labels if sp.issparse(x) else x.vector(labels), each(x, times, shared=(w,)))
        for x, labels, _ in (data.train, data.validation)
    )
    return logistic_influence(train, validation, C, rtol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_influence_does_not_depend_on_the_size_of_a_block(size: int, tmp_path: Path) -> None:
    path = write(tmp_path)
    memory, blocks = load(str(path), tmp_path, 1), in_blocks(path, size)
    w = weights(memory)
    expected, actual = found(memory, w), found(blocks, w)
    np.testing.assert_allclose(actual.phi, expected.phi, rtol=1e-8, atol=1e-15)
    np.testing.assert_allclose(actual.eta, expected.eta, rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("size", SIZES)
def test_the_fit_in_blocks_is_the_optimum_under_the_bound_of_liblinears(size: int, tmp_path: Path) -> None:
    path = write(tmp_path)
    memory, (x, labels, _) = load(str(path), tmp_path, 1), in_blocks(path, size).train
    given = x.vector(labels)
    w = fit_logistic(x, given, C)
    at_zero = np.linalg.norm(gradient(np.zeros_like(w), memory.train.x, labels, C))
    assert np.linalg.norm(gradient(w, memory.train.x, labels, C)) <= 1e-7 * at_zero
    np.testing.assert_allclose(w, weights(memory), atol=1e-6)


def test_rows_that_weigh_nothing_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path)
    memory, (x, labels, _) = load(str(path), tmp_path, 1), in_blocks(path, 100).train
    keep = np.random.default_rng(0).random(len(labels)) < 0.5
    w = fit_logistic(x, x.vector(labels), C, x.vector(keep))
    np.testing.assert_allclose(w, weighted_fit(memory.train.x.toarray()[keep], labels[keep], np.ones(keep.sum())), atol=1e-6)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("labels", [(1, -1), (0, 3)])
@pytest.mark.parametrize("val", [True, False])
def test_a_file_in_blocks_is_divided_as_it_is_in_memory(first: int, labels: tuple[int, int], val: bool, tmp_path: Path) -> None:
    path = write(tmp_path, 203, first, labels)
    if val:
        path.with_name("a.svm.val").write_text(f"# checked by hand\n\n{labels[1]} 3:1.5 # last\n{labels[0]} 7:2")
    memory, blocks = load(str(path), tmp_path, 1), in_blocks(path, 10)
    assert (blocks.classes, blocks.notes, blocks.test.x.nnz) == (memory.classes, memory.notes, memory.test.x.nnz)
    for mine, other in zip(blocks[:3], memory[:3], strict=True):
        np.testing.assert_array_equal(matrix(mine.x), other.x.toarray())
        np.testing.assert_array_equal(mine.labels, other.labels)
        np.testing.assert_array_equal(mine.rows, other.rows)
        np.testing.assert_array_equal(mine.rows[np.array([1, 0])], other.rows[[1, 0]])


def test_pieces_and_ranges_of_a_file_make_up_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, 50)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().rstrip())
    whole = parse_libsvm(path)
    ranged = [[read_range(path, *cut) for cut in line_ranges(path, rows, 3)] for rows in (None, 1, 7, 50, 99)]
    assert [len(parts) for parts in ranged] == [3, 50, 8, 1, 1]
    assert [len(part.y) for part in ranged[2]] == [7] * 7 + [1]
    for parts in ([*pieces(path, 1)], [*pieces(path, 1000)], *ranged):
        np.testing.assert_array_equal(np.concatenate([part.y for part in parts]), whole.y)
        for name in ("data", "indices"):
            joined = np.concatenate([getattr(part.x, name) for part in parts])
            np.testing.assert_array_equal(joined, getattr(whole.x, name))


def test_pieces_of_comments_alone_are_pieces_without_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.in_blocks.pieces", partial(pieces, size=20))
    path = write(tmp_path, 50)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("# where it is from\n\n" * 9 + "".join(lines[:20]) + "# more of it\n" * 9 + "".join(lines[20:]))
    memory, blocks = load(str(path), tmp_path, 1), in_blocks(path, 10)
    for mine, other in zip(blocks[:3], memory[:3], strict=True):
        np.testing.assert_array_equal(matrix(mine.x), other.x.toarray())
        np.testing.assert_array_equal(mine.labels, other.labels)
    path.write_text("# nothing else\n")
    with pytest.raises(InputError, match=r"a\.svm: is empty; expected lines"):
        in_blocks(path, 10)


def test_numbers_on_disk_are_indexed_and_compared_as_an_array_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.blocks.CHUNK", 3)
    values = np.random.default_rng(0).standard_normal(10)
    kept = DiskVector(np.float64)
    kept.append(values[:4])
    kept.append(values[4:])
    np.testing.assert_array_equal(kept, values)
    np.testing.assert_array_equal(kept[[7, 2]], values[[7, 2]])
    np.testing.assert_array_equal(kept[values > 0], values[values > 0])
    np.testing.assert_array_equal(kept > 0.5, values > 0.5)
    np.testing.assert_array_equal(kept < values[::-1], values < values[::-1])
    np.testing.assert_array_equal(kept == np.where(values > 0, values, 0), values > 0)
    assert harmful(kept, 0.1).tolist() == (values > 0.1).tolist()  # type: ignore[arg-type]


class Run(NamedTuple):
    record: dict[str, Any]
    relabeled: list[dict[str, str]]


def rdia(invoke: Invoke, path: Path, out: Path, *flags: object) -> Run:
    """A run of RDIA.py, without its seconds, and its relabeled.csv."""
    ended = invoke("--dataset", path, "--noise", 0.3, "--result_dir", out, "--json", "--quiet", *flags)
    assert (ended.status, ended.err) == (0, "")
    record = json.loads(ended.out)
    del record["seconds"]
    with (out / "relabeled.csv").open() as file:
        return Run(record, list(csv.DictReader(file)))


def assert_same(one: Run, other: Run) -> None:
    """Equal but for the digits behind liblinear's stop, 1e-7 of the gradient."""
    first, second = ({name: value for name, value in run.record.items() if name != "residual"} for run in (one, other))
    for name, splits in first.pop("methods").items():
        for split, metrics in splits.items():
            assert metrics == pytest.approx(other.record["methods"][name][split], rel=1e-5)
    second.pop("methods")
    assert first == second
    for rows in (one.relabeled, other.relabeled):
        rows.sort(key=lambda row: int(row["index"]))
    for mine, its in zip(one.relabeled, other.relabeled, strict=True):
        assert {name: mine[name] for name in ("index", "old_label", "new_label")}.items() <= its.items()
        for name in ("phi", "eta"):
            assert float(mine[name]) == pytest.approx(float(its[name]), rel=1e-4, abs=1e-6)


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(RDIA, "RDIA.py", monkeypatch, capsys)


@pytest.mark.parametrize("chosen", [("--relabel", "R"), ("--relabel", "best"), ("--relabel", "drop", "--n_validation", 200)])
def test_a_run_in_blocks_is_the_run_in_memory(chosen: tuple[object, ...], tmp_path: Path, invoke: Invoke) -> None:
    path = write(tmp_path)
    memory, blocks = (rdia(invoke, path, tmp_path / str(len(flags)), *chosen, *flags) for flags in ((), ("--block_rows", 100)))
    assert memory.record["relabeled"] > 100
    assert_same(blocks, memory)
    assert json.loads((tmp_path / "2" / "results.jsonl").read_text())["block_rows"] == 100


def test_alpha_is_chosen_in_blocks_as_in_memory(tmp_path: Path, invoke: Invoke) -> None:
    path, flags = write(tmp_path, 300), ("--alpha", "auto", "--relabel", "auto")
    memory, blocks = (rdia(invoke, path, tmp_path / str(len(more)), *flags, *more) for more in ((), ("--block_rows", 100)))
    for run in (memory, blocks):
        curve = run.record.pop("curve")
        assert len(curve) > 10
        run.record["alpha"] = pytest.approx(run.record["alpha"], rel=1e-4)
        run.record["changed"] = [point["changed"] for point in curve]
    memory.record["alpha"] = memory.record["alpha"].expected
    assert_same(blocks, memory)


def test_a_report_of_a_run_in_blocks_is_the_one_in_memory(tmp_path: Path, invoke: Invoke) -> None:
    path = write(tmp_path)
    memory, blocks = (invoke("--dataset", path, "--noise", 0.3, *flags) for flags in ((), ("--block_rows", 100)))
    assert blocks.out.splitlines()[:-1] == memory.out.splitlines()[:-1]  # the last are the seconds
    assert blocks.err == memory.err


REFUSED = {
    "a set that is shuffled": (("--dataset", "skin"), "not shuffled"),
    "a set that is no file": (("--dataset", "wdbc"), "is no LIBSVM file"),
    "a file that is not there": (("--dataset", "none.svm"), "none.svm"),
    "validation rows drawn": (("--validation", "test"), "--validation test"),
    "a factor": (("--solver", "cholesky"), "--solver cholesky"),
    "a network": (("--model", "mlp"), "--model mlp"),
    "a page": (("--audit", "a.html"), "--audit a.html"),
    "decisions": (("--labels", "a.csv"), "--labels a.csv"),
    "a GPU too": (("--gpu", "0"), "--gpu 0"),
    "no rows in a block": (("--block_rows", "0"), "got '0'"),
}


@pytest.mark.parametrize(("flags", "named"), REFUSED.values(), ids=REFUSED)
def test_what_blocks_cannot_do_is_one_line(flags: tuple[str, ...], named: str, tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "libsvm").mkdir()
    (tmp_path / "libsvm" / "skin_nonskin").write_text("1 1:2\n2 2:1\n" * 10)
    ended = invoke("--block_rows", 10, "--data_dir", tmp_path, *flags)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert named in ended.err


ROWS = "\n".join(f"{label} 1:{row / 7} 2:{row % 3}" for row in range(20) for label in (0, 1)) + "\n"
FILES = {
    "empty": ("", "is empty"),
    "one class": ("1 1:2\n" * 9, "has one class (1)"),
    "three classes": (f"{ROWS}2 1:1\n", "more than two classes (0, 1, 2)"),
    "nan": (f"{ROWS}1 1:nan\n", "line 41 is '1 1:nan'"),
    "a ragged line": (f"{ROWS}1 1:2 7\n", "line 41 is '1 1:2 7'"),
    "no features": ("1\n-1\n" * 9, "no features"),
    "a far column": (f"{ROWS}1 2000000000:1\n", "2000000000"),
    "a column beyond all": (f"{ROWS}1 99999999999:1\n", "line 41 is '1 99999999999:1'"),
}


@pytest.mark.parametrize(("text", "named"), FILES.values(), ids=FILES)
def test_a_bad_file_is_one_line(text: str, named: str, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "a.svm"
    for name in ("a.svm", "a.svm.t"):
        (tmp_path / name).write_text(text)
    ended = invoke("--dataset", path, "--block_rows", 10)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert named in ended.err


def test_a_label_that_training_has_not_is_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.with_name("a.svm.t").write_text("7 1:2\n")
    with pytest.raises(InputError, match=r"a\.svm\.t: has the label 7, which no training sample has"):
        in_blocks(path, 10)


@pytest.mark.parametrize("suffix", ["t", "val"])
def test_the_file_that_is_empty_is_named(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path, 50)
    Path(f"{path}.{suffix}").write_text("# nothing yet\n")
    with pytest.raises(InputError, match=rf"a\.svm\.{suffix}: is empty; expected lines"):
        in_blocks(path, 10)


def test_a_file_whose_only_column_is_0_is_the_one_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.svm"
    for file in (path, tmp_path / "a.svm.t"):
        file.write_text("".join(f"{row % 2} 0:{row}\n" for row in range(20)))
    memory, blocks = load(str(path), tmp_path, 1), in_blocks(path, 3)
    np.testing.assert_array_equal(
        matrix(blocks.train.x), memory.train.x.toarray() if sp.issparse(memory.train.x) else memory.train.x
    )


def test_a_disk_without_room_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path)
    run = f"{sys.executable} -B RDIA.py --dataset {path} --block_rows 100 --quiet"
    command = f"ulimit -f 10; unset COVERAGE_PROCESS_CONFIG; TMPDIR={tmp_path} {run}"  # coverage writes a file too
    ended = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert f"{tmp_path}: cannot be written" in ended.stderr


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    pytest.importorskip("distributed")
    with running(tmp_path_factory.mktemp("dask"), 2) as there:
        yield there


@pytest.mark.parametrize("size", [None, pytest.param(100, marks=pytest.mark.slow)])
def test_influence_on_two_workers_is_the_one_in_memory(size: int | None, dask: Running, tmp_path: Path) -> None:
    path = write(tmp_path)
    memory = load(str(path), tmp_path, 1)
    w = weights(memory)
    expected = found(memory, w)
    with cluster(dask.address, size) as read:
        spread = load_in_blocks(str(path), tmp_path, 1, read=read)
        x, labels, _ = spread.train
        held = x.cluster.together(x.blocks)
        assert [len(blocks) for blocks in (held, x.blocks)] == [2, 2 if size is None else 9]
        actual = found(spread, w)
        np.testing.assert_allclose(x.numbers(actual.phi), expected.phi, rtol=1e-8, atol=1e-15)
        np.testing.assert_allclose(x.numbers(actual.eta), expected.eta, rtol=1e-8, atol=1e-15)
        fitted = fit_logistic(x, x.vector(labels), C)
    at_zero = np.linalg.norm(gradient(np.zeros_like(w), memory.train.x, labels, C))
    assert np.linalg.norm(gradient(fitted, memory.train.x, labels, C)) <= 1e-7 * at_zero


@pytest.mark.slow
def test_a_run_on_two_workers_is_the_run_in_memory(dask: Running, tmp_path: Path, invoke: Invoke) -> None:
    path = write(tmp_path, 203, first=0)
    path.with_name("a.svm.val").write_text("1 3:1.5\n\n# by hand\n-1 7:2\n")
    memory, spread = (
        rdia(invoke, path, tmp_path / str(len(flags)), *flags) for flags in ((), ("--dask", dask.address, "--block_rows", 40))
    )
    assert_same(spread, memory)


def test_bad_input_on_workers_is_one_line(dask: Running, tmp_path: Path, invoke: Invoke) -> None:
    path = write(tmp_path, 203)
    rows = path.read_text()
    for text, named in (("1 1:2 7", "line 204 is '1 1:2 7'"), ("1 1:inf", "line 204"), ("2 1:1", "more than two classes")):
        path.write_text(rows + text)
        ended = invoke("--dataset", path, "--dask", dask.address, "--quiet")
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert named in ended.err
    packed = path.rename(tmp_path / "a.svm.gz")
    assert "unpack it" in invoke("--dataset", packed, "--dask", dask.address, "--quiet").err


def test_an_address_without_a_scheduler_is_one_line(tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke("--dataset", write(tmp_path, 50), "--dask", "nonsense", "--quiet")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "there is no scheduler" in ended.err


class Workers:
    """A client of workers, and a future that is late so many times."""

    scheduler = SimpleNamespace(address="tcp://there")

    def __init__(self, status: dict[str, str], work: dict[str, list[str]], late: int) -> None:
        self.status, self.work, self.late = status, work, late

    def scheduler_info(self, n_workers: int) -> dict[str, dict[str, dict[str, str]]]:
        assert n_workers == -1  # all of them
        return {"workers": {name: {"status": status} for name, status in self.status.items()}}

    def processing(self) -> dict[str, list[str]]:
        return self.work

    def result(self, timeout: float) -> int:
        assert timeout == PATIENCE
        self.late -= 1
        if self.late < 0:
            return 7
        raise TimeoutError


@pytest.mark.parametrize(
    ("status", "work", "late", "said"),
    [
        ({"a": "running", "b": "running"}, {"a": ["x"], "b": []}, 9, None),
        ({"a": "running", "b": "paused"}, {"a": ["x"], "b": ["y"]}, 9, None),
        ({"a": "running", "b": "paused"}, {"a": [], "b": []}, 9, None),  # between two tasks
        ({"a": "running", "b": "paused"}, {"a": [], "b": ["y"]}, 1, None),  # it may go on
        ({"a": "running", "b": "paused"}, {"a": [], "b": ["y"]}, 2, "a worker with work that all wait for is out of memory"),
        ({"a": "paused", "b": "paused"}, {"a": [], "b": ["y"]}, 1, "all workers are out of memory"),
        ({}, {}, 1, "no worker is left"),
    ],
)
def test_a_result_is_waited_for_as_long_as_a_worker_can_work_on_it(
    status: dict[str, str], work: dict[str, list[str]], late: int, said: str | None
) -> None:
    workers = Workers(status, work, late)
    there = Cluster(workers, 2, None)
    if said:
        with pytest.raises(InputError, match=f"^--dask tcp://there: {said}; give a smaller --block_rows"):
            there.result(workers)
    else:
        assert there.result(workers) == 7


def start(path: Path, there: Running, *flags: str) -> subprocess.Popen[str]:
    """RDIA.py in a process of its own."""
    command = [sys.executable, "RDIA.py", "--dataset", str(path), "--noise", "0.2", "--json", "--quiet", "--dask", there.address]
    return subprocess.Popen([*command, *flags], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def large(folder: Path) -> Path:
    """A file of avazu's shape, whose run takes a quarter of a minute and more."""
    path = write_avazu_like(folder / "large.svm", 300_000, np.random.default_rng(0))
    write_avazu_like(folder / "large.svm.t", 1000, np.random.default_rng(1))
    return path


def ended(run: subprocess.Popen[str]) -> Ended:
    out, err = run.communicate(timeout=300)
    return Ended(run.returncode, out, err)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.4, 0.55, 0.7])  # the second run is quicker than the first
def test_a_worker_killed_in_mid_run_changes_nothing(share: float, tmp_path: Path) -> None:
    path = large(tmp_path)
    with running(tmp_path, 2) as there:
        begun = time.monotonic()
        untouched = ended(start(path, there))
        whole = time.monotonic() - begun
        run = start(path, there)
        time.sleep(share * whole)
        assert run.poll() is None
        worker = subprocess.run(
            ["pgrep", "-P", str(there.workers[0].pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        for process in (there.workers[0].pid, *map(int, worker)):
            os.kill(process, signal.SIGKILL)
        killed = ended(run)
    assert (killed.status, killed.err) == (0, untouched.err)
    records = [json.loads(one.out) for one in (untouched, killed)]
    for record in records:
        del record["seconds"]
    assert records[0] == records[1]


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 3, 5, 7, 9, 11])
def test_a_scheduler_killed_is_one_line(moment: int, tmp_path: Path) -> None:
    path = large(tmp_path)
    with running(tmp_path, 2) as there:
        run = start(path, there)
        time.sleep(moment)
        there.scheduler.kill()
        result = ended(run)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert "scheduler" in result.err


@pytest.mark.slow
def test_workers_out_of_memory_are_one_line(tmp_path: Path) -> None:
    path = large(tmp_path)
    with running(tmp_path, 2, "--memory-limit", "180MB") as there:
        result = ended(start(path, there))
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert "--block_rows" in result.err


@pytest.mark.slow
def test_a_worker_out_of_memory_beside_one_with_enough_ends_by_a_result_or_one_line(tmp_path: Path) -> None:
    path = large(tmp_path)
    with running(tmp_path, 1, "--memory-limit", "200MB") as there:
        there.workers.append(worker(there.address, tmp_path, "--memory-limit", "4GB"))
        result = ended(start(path, there, "--block_rows", "20000"))
    assert result.status == 0 or (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.status == 0 or "--block_rows" in result.err


@pytest.mark.slow
def test_all_workers_gone_are_one_line(tmp_path: Path) -> None:
    path = large(tmp_path)
    with running(tmp_path, 2) as there:
        run = start(path, there)
        time.sleep(6)
        for worker in there.workers:
            worker.terminate()
        result = ended(run)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert "no worker is left" in result.err
