"""A user's `.npz`: x_train, y_train and, where there are any, x_test, y_test, x_val, y_val; or sparse rows, as scipy saves them."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from data.arrays import read_arrays
from data.errors import InputError
from data.source import PARTS, Labelled, Source, source_of
from data.sparse_npz import PYTHON_OBJECTS, SPARSE_NAMES, sparse_arrays

UPPER_HALF = 128  # of the range of a byte
ARRAY_NAMES = {"x_train", "y_train", "x_test", "y_test", "x_val", "y_val"}
BESIDE = {"text_train": "text", "text": "text", "file_train": "file", "file": "file"}  # what a person sees of a vector
# What numpy says of a file that it would have to unpickle, and what that means.
NOT_PLAIN = {"Object arrays": PYTHON_OBJECTS, "pickle": "it is not an archive"}


def npz_file(path: Path) -> Source:
    """A user's `.npz`. Raises `InputError` where it cannot be used."""
    parts, beside, unused = read_npz(path)
    x = parts["train"].x
    notes: tuple[str, ...] = (f"{path}: {', '.join(unused)} not used, expected {', '.join(sorted(ARRAY_NAMES))}",) if unused else ()
    if isinstance(x, np.ndarray) and x.ndim > 2 and x.dtype != np.uint8 and x.max() > 1:
        values = f"x_train holds pictures of {x.dtype} with values up to {x.max():,.6g}"
        notes += (f"{path}: {values}, taken as they are; save bytes as uint8, which are divided by 255",)
    if x.dtype == np.uint8 and x.ndim == 2:
        taken = "pixels, and divided by 255" if are_pixels(x) else "numbers, as they are"
        notes += (f"{path}: x_train holds rows of bytes; they are taken as {taken}",)
        if not are_pixels(x):
            parts = {role: part._replace(x=part.x.astype(np.float64)) for role, part in parts.items()}
    where = {role: str(path) if role == "train" else f"{path}: y_{role}" for role in parts}
    return source_of(where, parts, [str(value) for value in np.unique(parts["train"].y)])._replace(
        notes=notes, texts=beside.get("text"), files=beside.get("file"), beside=path.parent if beside else None
    )


def are_pixels(x: Any) -> bool:
    """Whether rows of bytes (n, d), dense or sparse, are pixels, not counts: they use the upper half of a byte's range."""
    return bool((x.data if sp.issparse(x) else x).max(initial=0) >= UPPER_HALF)


def read_npz(path: Path) -> tuple[dict[str, Labelled], dict[str, tuple[str, ...]], list[str]]:
    """The parts "train", "test" and "val" that the file has, "text" and "file" of the training rows, and names of what is not used.

    Raises `InputError` where it cannot be used.
    """
    arrays, unused = _plain_arrays(path)
    beside = {BESIDE[name]: arrays.pop(name) for name in BESIDE if name in arrays}
    unknown = sorted(set(arrays) - ARRAY_NAMES) + [key for key in arrays if key[0] == "y" and f"x{key[1:]}" not in arrays]
    if unknown:
        raise InputError(
            f"{path}: has {unknown[0]}, which is not used; expected pairs of {', '.join(sorted(ARRAY_NAMES))}; rename it"
        )
    parts = {key[2:]: _labelled(path, key[2:], arrays) for key in ("x_train", "x_test", "x_val") if key in arrays}
    for name, part in parts.items():
        if (part.y.dtype.kind == "U") != (parts["train"].y.dtype.kind == "U"):
            raise InputError(f"{path}: y_{name} holds {part.y.dtype}, y_train {parts['train'].y.dtype}; make them alike")
        row, expected = part.x.shape[1:], parts["train"].x.shape[1:]
        if (part.x.dtype == np.uint8) != (parts["train"].x.dtype == np.uint8):  # bytes are pixels, and will be divided by 255
            raise InputError(f"{path}: x_{name} holds {part.x.dtype}, x_train {parts['train'].x.dtype}; make them alike")
        if row != expected:
            raise InputError(f"{path}: a row of x_{name} has the shape {row}, of x_train {expected}; make them alike")
    for name, values in beside.items():
        if values.dtype.kind != "U" or values.shape != parts["train"].y.shape:
            what = f"{values.dtype} of the shape {values.shape}"
            raise InputError(f"{path}: {name} holds {what}, expected {len(parts['train'].y)} strings, one for each row of x_train")
    return parts, {name: tuple(values.tolist()) for name, values in beside.items()}, unused


def _plain_arrays(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The arrays by their names as they are expected, and the names of others."""
    names: list[str] = []

    def wanted(name: str) -> bool:
        names.append(name)
        return _is_used(name)

    try:
        arrays = read_arrays(path, wanted)
    except (OSError, ValueError) as error:
        reason = next((words for said, words in NOT_PLAIN.items() if said in str(error)), error)
        raise InputError(f"{path}: is not an .npz of plain arrays ({reason}); write it with numpy.savez") from error
    if set(names) >= SPARSE_NAMES:
        return sparse_arrays(path), []
    unused = [name for name in names if not _is_used(name)]
    expected = [name if name in BESIDE else _expected_name(name) for name in arrays]
    twice = [name for name in arrays if expected.count(_expected_name(name)) > 1]
    if twice:
        raise InputError(
            f"{path}: has {' and '.join(twice)}, of which only one can be {_expected_name(twice[0])}; rename the others"
        )
    arrays = dict(zip(expected, arrays.values(), strict=True))
    if "x_train" not in arrays:
        raise InputError(f"{path}: has the arrays {sorted(names)}, expected x_train and y_train (x_test, y_test, x_val, y_val)")
    return arrays, unused


def _is_used(name: str) -> bool:
    return name[:2].lower() in {"x_", "y_"} or name in BESIDE


def _expected_name(name: str) -> str:
    """ "X_valid" is x_val."""
    letter, _, part = name.lower().partition("_")
    return f"{letter}_{PARTS.get(part, part)}"


def _labelled(path: Path, name: str, arrays: dict[str, Any]) -> Labelled:
    if f"y_{name}" not in arrays:
        raise InputError(f"{path}: has x_{name} and no y_{name}; add y_{name}, or leave x_{name} out")
    x, y = arrays[f"x_{name}"], arrays[f"y_{name}"]
    if x.ndim < 2 or not x.shape[0] or y.shape != x.shape[:1]:
        remedy = "; use y.ravel()" if y.ndim == 2 and x.shape[:1] == (y.size,) else ""
        expected = f"expected (n, ...) and (n,) with n of 1 or more{remedy}"
        raise InputError(f"{path}: x_{name} is {x.shape} and y_{name} {y.shape}, {expected}")
    if x.dtype.kind not in "fiub":
        raise InputError(f"{path}: x_{name} holds {'text' if x.dtype.kind in 'US' else x.dtype}, expected numbers")
    if sp.issparse(x):
        x = x.tocsr()  # as many rows as there are labels
        x.sum_duplicates()
    if y.dtype.kind not in "fiubUS":
        raise InputError(f"{path}: y_{name} holds {y.dtype}, expected numbers or strings")
    if y.dtype.kind == "S":
        try:
            y = np.char.decode(y, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: y_{name} holds bytes that are not UTF-8 ({error}), expected numbers or strings") from error
    for key, array in ((f"x_{name}", x.data if sp.issparse(x) else x), (f"y_{name}", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = np.argwhere(~np.isfinite(array))[0][0]
            if sp.issparse(x) and array is not y:
                row = np.searchsorted(x.indptr, row, side="right") - 1
            text = "; labels of text have to be strings" if array is y else ""
            raise InputError(
                f"{path}: {key} row {row} (counted from 0) has a value that is not a finite number; correct or remove it{text}"
            )
    return Labelled(x, y)
