"""Rows on the two workers of a Dask cluster, which is started as the documents say."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from data.dataset import Dataset, Validation, load
from data.errors import InputError
from data.libsvm import parse_libsvm
from influence import Fit, Influence, logistic_influence
from influence.rows import as_row_vector, each, times
from models.devices.on_dask import cluster, connect
from models.logistic_regression import fit_logistic, gradient
from tests.benchmarks.generate import write_avazu_like
from tests.blocks import assert_alike, assert_same, auto, labelled_file, matrix, rdia, with_three_classes, with_trusted_rows
from tests.cluster import Running, running
from tests.invoke import ROOT, Ended, Invoke
from tests.problems import C, weighted_fit

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("dask"), 2) as there:
        yield there


SCRIPT = "RDIA"  # what `invoke` calls


def influence_at(w: np.ndarray, data: Dataset) -> Influence:
    """Influences at some weights, wherever the rows lie."""
    train, validation = (Fit(x, as_row_vector(x, labels), each(x, times, shared=(w,))) for x, labels, _ in data[:2])
    return logistic_influence(train, validation, C, rtol=1e-12)


@pytest.mark.parametrize("block_bytes", [3000, pytest.param(2**27, marks=pytest.mark.slow)])
def test_rows_fit_and_influence_on_two_workers_are_those_in_memory(
    block_bytes: int, dask: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two blocks, and of more; with a test file, and of rows that are shuffled without one."""
    monkeypatch.setattr("models.devices.on_dask.DASK_BLOCK_BYTES", block_bytes)
    path = labelled_file(tmp_path, 300)
    with cluster(dask.address) as read:
        for asked in (Validation(), Validation("test")):
            memory, spread = (load(str(path), tmp_path, 1, asked, read=way) for way in (parse_libsvm, read))
            assert len(spread.train.x.blocks) == (2 if block_bytes > 3000 else path.stat().st_size // 3000)
            assert (spread.classes, spread.notes, spread.train.x.nnz) == (memory.classes, memory.notes, memory.train.x.nnz)
            for mine, its in zip(spread[:3], memory[:3], strict=True):
                np.testing.assert_array_equal(matrix(mine.x), its.x.toarray())
                np.testing.assert_array_equal(mine.labels, its.labels)
                np.testing.assert_array_equal(mine.rows, its.rows)
            some = np.random.default_rng(0).permutation(len(memory.train.labels))[:70]
            for rows in (some, np.arange(len(memory.train.labels)) % 3 > 0, slice(5, 25), slice(0, 0)):
                np.testing.assert_array_equal(matrix(spread.train.x[rows]), memory.train.x[rows].toarray())
            x, labels, _ = spread.train
            w = fit_logistic(x, x.vector(labels), C)
            at_zero = np.linalg.norm(gradient(np.zeros_like(w), memory.train.x, labels, C))
            assert np.linalg.norm(gradient(w, memory.train.x, labels, C)) <= 1.001e-7 * at_zero
            w = weighted_fit(memory.train.x.toarray(), labels, np.ones(len(labels)))
            found, expected = influence_at(w, spread), influence_at(w, memory)
            np.testing.assert_allclose(x.numbers(found.phi), expected.phi, rtol=1e-8, atol=1e-14)
            np.testing.assert_allclose(x.numbers(found.eta), expected.eta, rtol=1e-8, atol=1e-14)
            path.with_name("a.svm.t").unlink(missing_ok=True)


def test_columns_that_no_row_uses_cost_nothing(dask: Running, tmp_path: Path) -> None:
    path = tmp_path / "a.svm"
    path.write_text("\n".join(f"{row % 2} 3:{row + 1} 2147483600:{row + 2}" for row in range(20)))
    Path(f"{path}.t").write_text("1 5:7 2147483600:8\n0 3:9\n")
    with cluster(dask.address) as read:
        spread = load(str(path), tmp_path, 1, read=read)
        assert matrix(spread.train.x)[:2].tolist() == [[1, 0, 2], [2, 0, 3]]
        assert matrix(spread.test.x).tolist() == [[0, 7, 8], [9, 0, 0]]


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--relabel", "drop"), ("--alpha", "auto", "--relabel", "auto"), ("--validation", "test")])
def test_a_run_on_two_workers_is_the_run_in_memory(flags: tuple[str, ...], dask: Running, tmp_path: Path, invoke: Invoke) -> None:
    path = labelled_file(tmp_path, 203, first=0)
    path.with_name("a.svm.t").unlink()
    memory, spread = (rdia(invoke, path, tmp_path / str(len(more)), *flags, *more) for more in ((), ("--dask", dask.address)))
    assert_same(spread, memory)


@pytest.mark.parametrize("relabel", ["R", pytest.param("best", marks=pytest.mark.slow)])
def test_more_than_two_classes_on_two_workers_are_fitted_as_in_memory(
    relabel: str, dask: Running, tmp_path: Path, invoke: Invoke
) -> None:
    path = with_three_classes(labelled_file(tmp_path, 303))
    memory, spread = (
        rdia(invoke, path, tmp_path / str(len(more)), "--relabel", relabel, *more) for more in ((), ("--dask", dask.address))
    )
    assert memory.record["classes"] == 3
    assert_same(spread, memory)


@pytest.mark.parametrize("trusted", [0, pytest.param(60, marks=pytest.mark.slow)])
def test_the_protocol_auto_on_two_workers_is_the_one_in_memory(trusted: int, dask: Running, tmp_path: Path, invoke: Invoke) -> None:
    path = with_three_classes(labelled_file(tmp_path, 303)) if trusted else labelled_file(tmp_path, 303)
    with_trusted_rows(path, trusted)
    memory, spread = (auto(invoke, path, tmp_path / str(len(more)), *more) for more in ((), ("--dask", dask.address)))
    assert memory[0]["n_trusted"] == trusted
    assert_alike(spread, memory)


def test_bad_input_on_workers_is_one_line(dask: Running, tmp_path: Path, invoke: Invoke) -> None:
    path = labelled_file(tmp_path, 203)
    rows = path.read_text()
    for text, named in (("1 1:2 7", "line 204 is '1 1:2 7'"), ("1 1:inf", "line 204")):
        path.write_text(rows + text)
        ended = invoke("--dataset", path, "--dask", dask.address, "--quiet")
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert named in ended.err
    packed = path.rename(tmp_path / "a.svm.gz")
    assert "unpack it" in invoke("--dataset", packed, "--dask", dask.address, "--quiet").err


REFUSED = {
    "a set that is no file": (("--dataset", "wdbc"), "is for LIBSVM files, and --dataset wdbc is not one; leave it out"),
    "a page": (("--audit", "a.html"), "does not go with --audit a.html"),
    "decisions": (("--labels", "a.csv"), "does not go with --labels a.csv"),
    "no scheduler": (("--dask", "nonsense"), "no scheduler answers"),
}


@pytest.mark.parametrize(("flags", "named"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_go_with_workers_is_one_line(flags: tuple[str, ...], named: str, tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke("--dataset", labelled_file(tmp_path, 50), "--dask", "tcp://127.0.0.1:9", "--quiet", *flags)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert named in ended.err


@pytest.mark.slow
def test_a_scheduler_without_workers_is_one_line(tmp_path: Path) -> None:
    with running(tmp_path, 0) as there, pytest.raises(InputError, match="the scheduler has no workers"), connect(there.address):
        pass


@pytest.mark.slow
def test_workers_that_cannot_import_this_program_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cluster.ROOT", tmp_path)
    with (
        running(tmp_path, 1) as there,
        pytest.raises(InputError, match=r"cannot import this program \(No module named 'models'\)"),
        connect(there.address),
    ):
        pass


def start(path: Path, there: Running) -> subprocess.Popen[str]:
    """RDIA.py in a process of its own."""
    command = [sys.executable, "RDIA.py", "--dataset", str(path), "--noise", "0.2", "--json", "--quiet", "--dask", there.address]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(run: subprocess.Popen[str]) -> Ended:
    out, err = run.communicate(timeout=300)
    return Ended(run.returncode, out, err)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of avazu's shape, whose run takes a quarter of a minute and more."""
    path = write_avazu_like(tmp_path / "large.svm", 300_000, np.random.default_rng(0))
    write_avazu_like(tmp_path / "large.svm.t", 1000, np.random.default_rng(1))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.4, 0.55, 0.7])  # the second run is quicker than the first
def test_a_worker_killed_in_mid_run_changes_nothing(share: float, large: Path, tmp_path: Path) -> None:
    with running(tmp_path, 2) as there:
        begun = time.monotonic()
        untouched = ended(start(large, there))
        whole = time.monotonic() - begun
        run = start(large, there)
        time.sleep(share * whole)
        assert run.poll() is None
        nanny = there.workers[0].pid
        worker = subprocess.run(["pgrep", "-P", str(nanny)], capture_output=True, text=True, check=True).stdout.split()
        for process in (nanny, *map(int, worker)):
            os.kill(process, signal.SIGKILL)
        killed = ended(run)
    assert (killed.status, killed.err) == (0, untouched.err)
    records = [json.loads(one.out) for one in (untouched, killed)]
    for record in records:
        del record["seconds"]
    assert records[0] == records[1]


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 4, 8])
def test_a_scheduler_killed_is_one_line(moment: int, large: Path, tmp_path: Path) -> None:
    with running(tmp_path, 2) as there:
        run = start(large, there)
        time.sleep(moment)
        there.scheduler.kill()
        result = ended(run)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert "scheduler" in result.err


@pytest.mark.slow
def test_workers_out_of_memory_are_one_line(large: Path, tmp_path: Path) -> None:
    with running(tmp_path, 2, "--memory-limit", "180MB") as there:
        result = ended(start(large, there))
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert "probably out of memory; start more workers" in result.err
