"""Rows in a temporary file: selections of them, and runs on them as in memory."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from data import on_disk as module
from data.dataset import Dataset, load
from data.errors import InputError
from data.libsvm import parse_libsvm, read_on_disk
from data.on_disk import DiskMatrix, on_disk
from influence.logistic import hessian_diagonal
from models.logistic_regression import fit_logistic, gradient
from page.review import load_review
from tests.blocks import assert_alike, assert_same, auto, labelled_file, matrix, rdia, with_three_classes, with_trusted_rows
from tests.invoke import ROOT, Invoke
from tests.problems import C, weighted_fit

SIZES = (1, 7, 1000, 10**9)


def some_rows(rows: int = 50) -> sp.csr_array:
    """With rows without values, at both ends too."""
    x = sp.random_array((rows, 12), density=0.3, rng=np.random.default_rng(0)).toarray()
    x[[0, 7, 8, rows - 1]] = 0
    return sp.csr_array(x)


def in_pieces(x: sp.csr_array, size: int = 7) -> DiskMatrix:
    return on_disk(x[start : start + size] for start in range(0, x.shape[0], size))


def mapped(array: np.ndarray) -> bool:
    """Whether the memory of an array is a file's."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base.obj if isinstance(array.base, memoryview) else array.base  # type: ignore[assignment]
    return False


PERMUTATION = np.random.default_rng(1).permutation(50)
SELECTIONS: dict[str, Any] = {
    "all": slice(None),
    "the first": slice(20),
    "some in the middle": slice(13, 31),
    "the last": slice(-5, None),
    "none": slice(9, 9),
    "none from behind": slice(30, 10),
    "none behind the end": slice(70, 80),
    "a row without values": slice(7, 8),
    "every other": slice(0, 50, 2),
    "a permutation": PERMUTATION,
    "a part of one": PERMUTATION[:17],
    "a mask": PERMUTATION > 20,
    "an empty mask": np.zeros(50, dtype=bool),
    "no places": np.zeros(0, dtype=int),
}


@pytest.mark.parametrize("values", [5, 2**20])
@pytest.mark.parametrize("rows", SELECTIONS.values(), ids=SELECTIONS)
def test_a_selection_is_the_one_of_the_matrix(rows: Any, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VALUES", values)  # of more than 5, those at places go to a file of their own
    x = some_rows()
    taken, expected = in_pieces(x)[rows], x[rows]
    assert isinstance(taken, DiskMatrix)
    assert taken.shape == expected.shape
    assert taken.toarray().tolist() == expected.toarray().tolist()
    assert (taken.data.dtype, taken.indices.dtype, taken.indptr.dtype) == (np.float64, np.int32, np.int32)
    again = taken[1:][::-1]
    assert again.toarray().tolist() == expected[1:][::-1].toarray().tolist()
    if (isinstance(rows, slice) and rows.step is None) or values < taken.nnz:
        assert all(mapped(array) or not len(array) for array in (taken.data, taken.indices))


def test_products_are_those_of_the_matrix_and_copy_no_rows() -> None:
    x, rng = some_rows(), np.random.default_rng(2)
    kept, v, u, V = in_pieces(x), rng.standard_normal(12), rng.standard_normal(50), rng.standard_normal((12, 3))
    np.testing.assert_array_equal(kept @ v, x @ v)
    np.testing.assert_array_equal(kept @ V, x @ V)
    np.testing.assert_array_equal(kept.T @ u, x.T @ u)
    np.testing.assert_array_equal(kept[10:40] @ v, (x @ v)[10:40])
    for view in (kept[10:40], kept[40:][2:], kept.T, kept[3:9].T, sp.csr_array(kept)):
        assert mapped(view.data)
        assert mapped(view.indices)


def test_the_curvature_of_features_is_summed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x, c = some_rows(), np.random.default_rng(3).random(50)
    for values in (3, 40, 10**6):
        monkeypatch.setattr("influence.logistic.SQUARED_VALUES", values)
        np.testing.assert_allclose(hessian_diagonal(in_pieces(x), c), hessian_diagonal(x, c), rtol=1e-13)


def test_columns_are_renumbered_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VALUES", 5)
    x = sp.csr_array(np.where(np.isin(np.arange(12), [2, 5, 11]), some_rows().toarray(), 0))
    kept = in_pieces(x)
    close = kept.renumbered(lambda indices: np.searchsorted([2, 5, 11], indices), 3)
    assert close.toarray().tolist() == x.toarray()[:, [2, 5, 11]].tolist()
    assert mapped(close.indices)


def test_rows_without_values_and_no_rows_at_all_are_kept() -> None:
    empty = sp.csr_array((3, 4))
    assert on_disk([empty, empty]).toarray().tolist() == [[0.0] * 4] * 6
    assert on_disk([], columns=5).shape == (0, 5)


def on_disk_by(size: int) -> Callable[[Path], Any]:
    return partial(read_on_disk, block_rows=size)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("labels", [(1, -1), (0, 3)])
@pytest.mark.parametrize("beside", [("t", "val"), ("t",), ()])
def test_a_file_is_divided_as_it_is_in_memory(first: int, labels: tuple[int, int], beside: tuple[str, ...], tmp_path: Path) -> None:
    """Also where its rows are shuffled, as they are without a test file."""
    path = labelled_file(tmp_path, 203, first, labels)
    Path(f"{path}.val").write_text(f"# checked by hand\n\n{labels[1]} 3:1.5 # last\n{labels[0]} 7:2")
    for suffix in {"t", "val"} - {*beside}:
        Path(f"{path}.{suffix}").unlink()
    memory, disk = (load(str(path), tmp_path, 1, read=read) for read in (parse_libsvm, on_disk_by(10)))
    assert (disk.classes, disk.notes, disk.test.x.nnz) == (memory.classes, memory.notes, memory.test.x.nnz)
    assert_parts_are_the_same(disk, memory)


def assert_parts_are_the_same(one: Dataset, other: Dataset) -> None:
    for mine, its in zip(one[:3], other[:3], strict=True):
        np.testing.assert_array_equal(matrix(mine.x), matrix(its.x))
        np.testing.assert_array_equal(mine.labels, its.labels)
        np.testing.assert_array_equal(mine.rows, its.rows)


def test_columns_that_no_row_uses_cost_nothing(tmp_path: Path) -> None:
    """As in memory: the columns in use are kept, in order, the same ones in every part."""
    path = tmp_path / "a.svm"
    path.write_text("\n".join(f"{row % 2} 3:{row + 1} 2147483600:{row + 2}" for row in range(20)))
    Path(f"{path}.t").write_text("1 5:7 2147483600:8\n0 3:9\n")
    memory, disk = (load(str(path), tmp_path, 1, read=read) for read in (parse_libsvm, on_disk_by(3)))
    assert disk.train.x.shape[1] == 3
    assert_parts_are_the_same(disk, memory)


def test_pieces_of_comments_alone_have_no_rows(tmp_path: Path) -> None:
    path = labelled_file(tmp_path, 50)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("# where it is from\n\n" * 9 + "".join(lines[:20]) + "# more of it\n" * 9 + "".join(lines[20:]))
    memory, disk = (load(str(path), tmp_path, 1, read=read) for read in (parse_libsvm, on_disk_by(4)))
    assert_parts_are_the_same(disk, memory)


@pytest.mark.parametrize("size", SIZES)
def test_the_fit_is_the_optimum_within_the_bound_of_liblinears(size: int, tmp_path: Path) -> None:
    x, labels, _ = load(str(labelled_file(tmp_path)), tmp_path, 1, read=on_disk_by(size)).train
    w, dense = fit_logistic(x, labels, C), matrix(x)
    at_zero = np.linalg.norm(gradient(np.zeros_like(w), dense, labels, C))
    assert np.linalg.norm(gradient(w, dense, labels, C)) <= 1e-7 * at_zero
    np.testing.assert_allclose(w, weighted_fit(dense, labels, np.ones(len(labels))), atol=1e-6)


SCRIPT = "RDIA"  # what `invoke` calls


RUNS: dict[str, tuple[object, ...]] = {
    "R": ("--relabel", "R"),
    "best": ("--relabel", "best"),
    "drop": ("--relabel", "drop", "--n_validation", 200),
    "validation rows drawn": ("--validation", "test"),
    "chosen": ("--alpha", "auto", "--relabel", "auto"),
}


@pytest.mark.parametrize("values", [100, 2**20])
@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("flags", RUNS.values(), ids=RUNS)
def test_a_run_on_disk_is_the_run_in_memory(
    flags: tuple[object, ...], beside: bool, values: int, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a test file, and of shuffled rows without one; selections in a file of their own, and in memory."""
    monkeypatch.setattr(module, "VALUES", values)
    path = labelled_file(tmp_path, 600)
    if not beside:
        path.with_name("a.svm.t").unlink()
    memory, disk = (rdia(invoke, path, tmp_path / str(len(more)), *flags, *more) for more in ((), ("--block_rows", 100)))
    assert memory.record["relabeled"] > 30 or len(memory.record["curve"]) > 10
    assert_same(disk, memory)


def test_more_than_two_classes_are_fitted_on_disk_as_in_memory(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("influence.logistic.SQUARED_VALUES", 300)
    monkeypatch.setattr("influence.rows.SLICE_ROWS", 100)
    path = with_three_classes(labelled_file(tmp_path, 600))
    memory, disk = (
        rdia(invoke, path, tmp_path / str(len(more)), "--relabel", "best", *more) for more in ((), ("--block_rows", 100))
    )
    assert memory.record["classes"] == 3
    assert memory.record["relabeled"] > 30
    assert_same(disk, memory)


@pytest.mark.parametrize("trusted", [0, 60])
def test_the_protocol_auto_on_disk_is_the_one_in_memory(trusted: int, tmp_path: Path, invoke: Invoke) -> None:
    path = with_trusted_rows(labelled_file(tmp_path, 300), trusted)
    memory, disk = (auto(invoke, path, tmp_path / str(len(more)), *more) for more in ((), ("--block_rows", 100)))
    assert memory[0]["n_trusted"] == trusted
    assert_alike(disk, memory)


def test_a_report_of_a_run_on_disk_is_the_one_in_memory(tmp_path: Path, invoke: Invoke) -> None:
    path = labelled_file(tmp_path)
    memory, disk = (invoke("--dataset", path, "--noise", 0.3, *flags) for flags in (("--protocol", "paper"), ("--block_rows", 100)))
    assert disk.out.splitlines()[:-1] == memory.out.splitlines()[:-1]  # the last are the seconds
    assert disk.err == memory.err


def test_a_review_of_a_run_on_disk_is_the_one_in_memory(tmp_path: Path, invoke: Invoke) -> None:
    """What the page is made of, and the name of the run, with a hash of its rows."""
    path, kinds = labelled_file(tmp_path, 300), {"memory": (), "disk": ("--block_rows", 100)}
    for kind, flags in kinds.items():
        rdia(invoke, path, tmp_path / kind, "--audit", tmp_path / f"{kind}.html", *flags)
        assert (tmp_path / f"{kind}.html").exists()
    memory, disk = (load_review(tmp_path / kind) for kind in kinds)
    assert disk.facts["run"] == memory.facts["run"]
    assert sorted(disk.rows) == sorted(memory.rows)
    mine, its = np.argsort(disk.rows), np.argsort(memory.rows)  # which is first of two that are as harmful is a matter of digits
    for name in ("given", "suggested", "flipped", "columns"):
        np.testing.assert_array_equal(getattr(disk, name)[mine], getattr(memory, name)[its])
    for name in ("phi", "eta", "p_given", "p_suggested", "values", "pulls"):
        np.testing.assert_allclose(getattr(disk, name)[mine], getattr(memory, name)[its], rtol=1e-4, atol=1e-6)


REFUSED = {
    "a set that is no file": (("--dataset", "wdbc"), "is for LIBSVM files, and --dataset wdbc is not one; leave it out"),
    "an npz": (("--dataset", "a.npz"), "is for LIBSVM files, and --dataset a.npz is not one"),
    "a folder of pictures": (("--dataset", "."), "is for LIBSVM files, and --dataset . is not one"),
    "a file that is missing": (("--dataset", "none.svm"), "--dataset none.svm: no such data set or file"),
    "a factor": (("--solver", "cholesky"), "does not go with --solver cholesky"),
    "a network": (("--model", "mlp"), "does not go with --model mlp"),
    "a GPU too": (("--gpu", "0"), "does not go with --gpu 0"),
    "workers too": (("--dask", "tcp://a:1"), "does not go with --block_rows 10"),
    "no rows": (("--block_rows", "0"), "got '0'"),
}


@pytest.mark.parametrize(("flags", "named"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_go_with_rows_on_disk_is_one_line(flags: tuple[str, ...], named: str, tmp_path: Path, invoke: Invoke) -> None:
    path = labelled_file(tmp_path, 50)
    ended = invoke("--dataset", path, "--block_rows", 10, *flags)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert named in ended.err


ROWS = "\n".join(f"{label} 1:{row / 7} 2:{row % 3}" for row in range(20) for label in (0, 1)) + "\n"
FILES = {
    "empty": ("", "a.svm: is empty; expected lines"),
    "comments": ("# nothing else\n", "a.svm: is empty; expected lines"),
    "one class": ("1 1:2\n" * 9, "has one class (1)"),
    "nan": (f"{ROWS}1 1:nan\n", "line 41 is '1 1:nan'"),
    "a ragged line": (f"{ROWS}1 1:2 7\n", "line 41 is '1 1:2 7'"),
    "no features": ("1\n-1\n" * 9, "no features"),
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
    path = labelled_file(tmp_path)
    path.with_name("a.svm.t").write_text("7 1:2\n")
    with pytest.raises(InputError, match=r"a\.svm\.t: has the label 7, which no training sample has"):
        load(str(path), tmp_path, 1, read=on_disk_by(10))


def test_a_disk_without_room_is_one_line(tmp_path: Path) -> None:
    path = labelled_file(tmp_path)
    run = f"{sys.executable} -B RDIA.py --dataset {path} --block_rows 100 --quiet"
    command = f"ulimit -f 10; unset COVERAGE_PROCESS_CONFIG; TMPDIR={tmp_path} {run}"  # coverage writes a file too
    ended = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert f"{tmp_path}: cannot be written" in ended.stderr


MEASURED = """
import sys, threading
from pathlib import Path
import numpy as np
from data.dataset import load
from data.libsvm import read_on_disk
from influence.logistic import Fit, logistic_influence
from models.logistic_regression import fit_logistic
from run.identity import run_key

def own():
    return int(next(line for line in open("/proc/self/status") if line.startswith("RssAnon")).split()[1])

fit_logistic(np.eye(3), np.arange(3) % 2, 0.1)  # imports
before, ended, peak = own(), threading.Event(), [0]
def watch():
    while not ended.wait(0.005):
        peak[0] = max(peak[0], own())
watcher = threading.Thread(target=watch)
watcher.start()
data = load(sys.argv[1], Path(), 1, read=lambda path: read_on_disk(path, 2000))
fits = []
for part in data[:2]:
    w = fit_logistic(part.x, part.labels, 0.1) if not fits else w
    fits.append(Fit(part.x, part.labels, part.x @ w))
logistic_influence(fits[0], fits[1], 0.1)
keep = np.arange(len(fits[0].labels)) % 3 > 0
fit_logistic(fits[0].x[keep], fits[0].labels[keep], 0.1)
run_key({}, data, data.train.labels)
ended.set()
watcher.join()
print(12 * sum(part.x.nnz for part in data[:3]) // 1024, peak[0] - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell what memory is the process's own")
def test_memory_holds_a_small_part_of_the_rows(tmp_path: Path) -> None:
    """Of 120 MB of values and column numbers, shuffled, fitted, selected and hashed."""
    rng, path = np.random.default_rng(0), tmp_path / "a.svm"
    line = " ".join(f"{column}:0.{column}" for column in range(1, 201)).encode()
    with path.open("wb") as file:
        for row in range(50_000):
            file.write(b"%d %s %d:%.3f\n" % (rng.integers(2), line, 201 + row % 9, rng.random()))
    ended = subprocess.run([sys.executable, "-c", MEASURED, path], cwd=ROOT, capture_output=True, text=True, check=True)
    rows, own = map(int, ended.stdout.split())
    assert rows > 115_000
    assert own < 0.4 * rows
