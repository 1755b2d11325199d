import gc
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from data.dataset import OWN_ROWS, load
from data.errors import InputError
from data.npz import npz_file, read_npz

X, Y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])


def write(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_parts_that_are_there_are_given(save: Callable[..., None], tmp_path: Path) -> None:
    save(tmp_path / "a.npz", x_train=X, y_train=Y, x_val=X[:1], y_val=Y[:1])
    parts, _, _ = read_npz(tmp_path / "a.npz")
    assert parts.keys() == {"train", "val"}
    assert parts["train"].x.tolist() == X.tolist()
    assert parts["train"].y.tolist() == [0, 1, 1]
    assert (parts["val"].x.tolist(), parts["val"].y.tolist()) == ([[0, 1]], [0])


@pytest.mark.parametrize("y", [np.array(["cat", "dog", "dog"]), np.array([False, True, True]), np.array([0.5, 2.0, 2.0])])
def test_labels_are_strings_or_numbers_of_any_kind(y: np.ndarray, tmp_path: Path) -> None:
    assert read_npz(write(tmp_path, x_train=X, y_train=y))[0]["train"].y.tolist() == y.tolist()


def test_arrays_of_other_names_are_not_read_and_are_named(tmp_path: Path) -> None:
    objects = np.array([{"by": "hand"}], dtype=object)
    path = write(tmp_path, x_train=np.eye(4), y_train=np.arange(4) % 2, val_x=X, notes=objects)
    parts, _, unused = read_npz(path)
    assert (parts.keys(), unused) == ({"train"}, ["val_x", "notes"])
    assert npz_file(path).notes == (f"{path}: val_x, notes not used, expected x_test, x_train, x_val, y_test, y_train, y_val",)


@pytest.mark.parametrize("name", ["valid", "Validation", "DEV"])
def test_trusted_rows_may_have_other_names(name: str, tmp_path: Path) -> None:
    parts, _, _ = read_npz(write(tmp_path, X_train=X, Y_train=Y, **{f"X_{name}": X[:2], f"y_{name}": Y[:2]}))
    assert parts.keys() == {"train", "val"}
    assert parts["val"].x.tolist() == X[:2].tolist()


def test_two_arrays_for_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has x_val and X_valid, of which only one can be x_val; rename the others$"):
        read_npz(write(tmp_path, x_train=X, y_train=Y, x_val=X, y_val=Y, X_valid=X))


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_pictures_that_are_no_bytes_are_said_to_be_taken_as_they_are(dtype: type, tmp_path: Path) -> None:
    pictures: np.ndarray = np.arange(3 * 4 * 4).reshape(3, 4, 4).astype(dtype)
    (note,) = npz_file(write(tmp_path, x_train=pictures, y_train=Y)).notes
    assert f"x_train holds pictures of {np.dtype(dtype)} with values up to 47, taken as they are; save bytes as uint8" in note
    assert npz_file(write(tmp_path, x_train=pictures / 47, y_train=Y)).notes == ()


# --- Sparse rows


def save_sparse(folder: Path, name: str, x: Any, y: np.ndarray) -> Path:
    sp.save_npz(folder / f"{name}.npz", x)
    np.save(folder / f"{name}.labels.npy", y)
    return folder / f"{name}.npz"


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array, sp.csc_array])
def test_sparse_rows_come_with_the_labels_beside_them(kind: type, tmp_path: Path) -> None:
    path = save_sparse(tmp_path, "a", kind(X), np.array(["no", "yes", "yes"]))
    save_sparse(tmp_path, "a.val", kind(X[:2]), np.array(["yes", "no"]))
    source = npz_file(path)
    assert source.train.x.toarray().tolist() == X.tolist()
    assert (source.classes, source.train.labels.tolist(), source.test) == (("no", "yes"), [0, 1, 1], None)
    assert source.validation is not None
    assert (source.validation.x.toarray().tolist(), source.validation.labels.tolist()) == (X[:2].tolist(), [1, 0])


def test_sparse_rows_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    path = save_sparse(tmp_path, "a", sp.csr_array(NAN), Y)
    with pytest.raises(InputError, match=r"x_train row 1 \(counted from 0\) has a value that is not a finite number"):
        npz_file(path)
    path = save_sparse(tmp_path, "a", sp.csr_array(X), np.array(["a", None, "b"], dtype=object))
    with pytest.raises(
        InputError, match=r"a\.labels\.npy: holds no labels .*save names as np\.asarray\(y, dtype=str\)\); write it with"
    ):
        npz_file(path)
    with pytest.raises(InputError, match=r"x_train is \(3, 2\) and y_train \(2,\)"):
        npz_file(save_sparse(tmp_path, "a", sp.csr_array(X), Y[:2]))
    (tmp_path / "a.labels.npy").unlink()
    with pytest.raises(InputError, match=r"a\.labels\.npy: is not there, and has to hold the labels of these rows; write it with"):
        npz_file(path)
    arrays = dict(np.load(path))
    arrays["indices"][0] = 7
    np.savez(path, **arrays)
    with pytest.raises(
        InputError, match=r"a\.npz: holds no sparse rows that can be read \(.*\); write it with scipy\.sparse\.save_npz"
    ):
        npz_file(path)


SPARSE_FAULTS = {
    "indptr goes back": ({"data": [], "indices": [], "indptr": [0, 2, 1, 0]}, "indptr has to ascend"),
    "indices are fractions": ({"indices": [0.5, 1, 0, 1, 0]}, "indices and indptr have to be whole numbers"),
    "too many columns": ({"shape": [3, 2**40]}, r"it has 1,099,511,627,776 columns, expected at most 2,147,483,647"),
    "too many rows": (
        {"format": b"csc", "shape": [2**40, 2], "indices": [1, 2, 0, 1, 2], "indptr": [0, 2, 5]},
        r"x_train is \(1099511627776, 2\) and y_train \(3,\)",
    ),
}


@pytest.mark.parametrize(("arrays", "said"), SPARSE_FAULTS.values(), ids=SPARSE_FAULTS)
def test_sparse_rows_that_scipy_lets_pass_are_refused(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = save_sparse(tmp_path, "a", sp.csr_array(X), Y)
    np.savez(path, **{**np.load(path), **arrays})
    with pytest.raises(InputError, match=said):
        npz_file(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"'shape': (3,)", b"'shape': (((("), (b"(3,), }" + b" " * 11, b"(999999999999,), }"), (b"\x01\0\0\0", b"\0\0\x11\0")],
)
def test_labels_that_are_damaged_are_one_line(old: bytes, new: bytes, tmp_path: Path) -> None:
    path = save_sparse(tmp_path, "a", sp.csr_array(X), np.array(["a", "\1", "b"]))
    labels = tmp_path / "a.labels.npy"
    labels.write_bytes(labels.read_bytes().replace(old, new.ljust(len(old))))
    with pytest.raises(InputError, match=r"a\.labels\.npy: holds no labels that can be read \(.*\); write it with numpy\.save$"):
        npz_file(path)


def test_labels_that_are_true_are_one_class_whatever_their_byte(tmp_path: Path) -> None:
    path = save_sparse(tmp_path, "a", sp.csr_array(X), np.array([0, 1, 2], dtype=np.uint8).view(bool))
    assert npz_file(path).train.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("scale", "expected"), [(50, X * 50 / 255), (1, X)])
def test_sparse_bytes_are_pixels_where_dense_ones_are(scale: int, expected: np.ndarray, tmp_path: Path) -> None:
    path = save_sparse(tmp_path, "a", sp.csr_array((X * scale).astype(np.uint8)), Y)
    found = load(str(path), tmp_path, 1, OWN_ROWS).train
    assert found.x[np.argsort(found.rows)].tolist() == expected.tolist()


def test_values_of_one_cell_are_added(tmp_path: Path) -> None:
    rows = sp.csr_array(([1.0, 2.0, 4.0], [0, 0, 1], [0, 2, 2, 3]), shape=(3, 2))
    x = npz_file(save_sparse(tmp_path, "a", rows, Y)).train.x
    assert (x.data.tolist(), x.toarray().tolist()) == ([3, 4], [[3, 0], [0, 0], [0, 4]])


NAN = np.where(X == 3, np.nan, X)
BAD_FILES = {
    "no x_train": ({"x_test": X, "y_test": Y}, r"has the arrays \['x_test', 'y_test'\], expected x_train and y_train"),
    "no y_train": ({"x_train": X}, "has x_train and no y_train; add y_train, or leave x_train out"),
    "other names": (
        {"X": X, "y": Y},
        r"has the arrays \['X', 'y'\], expected x_train and y_train \(x_test, y_test, x_val, y_val\)$",
    ),
    "no y_val": ({"x_train": X, "y_train": Y, "x_val": X}, "has x_val and no y_val; add y_val, or leave x_val out"),
    "a column of labels": (
        {"x_train": X, "y_train": Y[:, np.newaxis]},
        r"x_train is \(3, 2\) and y_train \(3, 1\), expected .*; use y\.ravel\(\)$",
    ),
    "no y_test": ({"x_train": X, "y_train": Y, "x_test": X}, "has x_test and no y_test"),
    "a label too few": ({"x_train": X, "y_train": Y[:2]}, r"x_train is \(3, 2\) and y_train \(2,\)"),
    "one-hot labels": ({"x_train": X, "y_train": np.eye(3)[Y]}, r"y_train \(3, 3\), expected .* with n of 1 or more$"),
    "one feature without a column": ({"x_train": X[:, 0], "y_train": Y}, r"x_train is \(3,\)"),
    "no rows": ({"x_train": X[:0], "y_train": Y[:0]}, "n of 1 or more"),
    "other columns in x_test": (
        {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
        r"a row of x_test has the shape \(1,\), of x_train \(2,\)",
    ),
    "other pictures in x_val": (
        {"x_train": np.zeros((3, 2, 3)), "y_train": Y, "x_val": np.zeros((3, 3, 2)), "y_val": Y},
        r"a row of x_val has the shape \(3, 2\), of x_train \(2, 3\)",
    ),
    "strings": ({"x_train": X.astype(str), "y_train": Y}, "x_train holds text, expected numbers"),
    "complex numbers": ({"x_train": X * 1j, "y_train": Y}, "x_train holds complex128, expected numbers"),
    "nan": ({"x_train": NAN, "y_train": Y}, r"x_train row 1 \(counted from 0\) has a value that is not a finite number"),
    "inf": (
        {"x_train": X, "y_train": Y, "x_test": np.where(X == 4, np.inf, X), "y_test": Y},
        "x_test row 2 .* remove it$",
    ),
    "nan label": ({"x_train": X, "y_train": np.array([0, 1, np.nan])}, "y_train row 2 .*; labels of text have to be strings$"),
}


@pytest.mark.parametrize(("arrays", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_arrays_that_cannot_be_used_are_refused_by_name(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"a\.npz: .*{message}"):
        read_npz(write(tmp_path, **arrays))


class Bomb:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("name", ["x_train", "y_train"])
def test_an_object_array_is_refused_and_not_unpickled(name: str, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    arrays = {"x_train": X, "y_train": Y, name: np.array([Bomb(trace)], dtype=object)}
    with pytest.raises(InputError, match=r"a\.npz: is not an \.npz of plain arrays \(it holds Python objects: save names as np"):
        read_npz(write(tmp_path, **arrays))
    assert not trace.exists()


def no_bytes(path: Path) -> None:
    path.write_bytes(b"")


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def cut_within_an_array(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(X.tobytes()) + 9] ^= 1
    path.write_bytes(content)


def text(path: Path) -> None:
    path.write_text("1 1:1\n")


def a_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"x_train": X, "y_train": Y}))


def a_single_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, X)


def members_that_are_no_arrays(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train", "1 2")
        archive.writestr("y_train", "1 2")


def members_packed_in_a_way_unknown(path: Path) -> None:
    content = path.read_bytes()
    central = content.index(b"PK\x01\x02")
    path.write_bytes(content[: central + 10] + b"\x63\x00" + content[central + 12 :])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [
    no_bytes,
    cut_short,
    cut_within_an_array,
    text,
    a_pickle,
    a_single_array,
    members_that_are_no_arrays,
    members_packed_in_a_way_unknown,
    a_folder,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_no_npz_is_named(damage: Callable[[Path], None], tmp_path: Path) -> None:
    path = write(tmp_path, x_train=X, y_train=Y)
    damage(path)
    reason = "it is not an archive" if damage in {text, a_pickle} else ".*"
    with pytest.raises(InputError, match=rf"a\.npz: is not an \.npz of plain arrays \({reason}\); write it with numpy\.savez$"):
        read_npz(path)
    gc.collect()  # a file left open is an error of this test, not of a later one


@pytest.mark.parametrize("key", ["x_extra", "y_extra", "y_val", "x_labels"])
def test_an_array_whose_name_is_not_used_is_refused(key: str, tmp_path: Path) -> None:
    """Trusted validation rows under another name must not be passed over in silence."""
    arrays = {"x_train": np.eye(4), "y_train": np.arange(4) % 2, key: np.eye(4) if key[0] == "x" else np.arange(4)}
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"has {key}, which is not used"):
        read_npz(tmp_path / "a.npz")
