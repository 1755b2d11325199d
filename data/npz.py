"""A user's `.npz`: x_train, y_train and, where there are any, x_test, y_test, x_val, y_val."""

from pathlib import Path

import numpy as np

from data.arrays import read_arrays
from data.errors import InputError
from data.source import Labelled, Source, source_of

ARRAY_NAMES = {"x_train", "y_train", "x_test", "y_test", "x_val", "y_val"}


def npz_file(path: Path) -> Source:
    """A user's `.npz`. Raises `InputError` where it cannot be used."""
    parts = read_npz(path)
    where = {role: str(path) if role == "train" else f"{path}: y_{role}" for role in parts}
    return source_of(where, parts, [str(value) for value in np.unique(parts["train"].y)])


def read_npz(path: Path) -> dict[str, Labelled]:
    """The parts "train", "test" and "val" that the file has. Raises `InputError` where it cannot be used."""
    arrays = _plain_arrays(path)
    unknown = sorted(set(arrays) - ARRAY_NAMES) + [key for key in arrays if key[0] == "y" and f"x{key[1:]}" not in arrays]
    if "x_train" in arrays and unknown:
        raise InputError(
            f"{path}: has {unknown[0]}, which is not used; expected pairs of {', '.join(sorted(ARRAY_NAMES))}; rename it"
        )
    if "x_train" not in arrays:
        raise InputError(f"{path}: has the arrays {sorted(arrays)}, expected x_train and y_train (x_test, y_test, x_val, y_val)")
    parts = {key[2:]: _labelled(path, key[2:], arrays) for key in ("x_train", "x_test", "x_val") if key in arrays}
    for name, part in parts.items():
        if (part.y.dtype.kind == "U") != (parts["train"].y.dtype.kind == "U"):
            raise InputError(f"{path}: y_{name} holds {part.y.dtype}, y_train {parts['train'].y.dtype}; make them alike")
        row, expected = part.x.shape[1:], parts["train"].x.shape[1:]
        if (part.x.dtype == np.uint8) != (parts["train"].x.dtype == np.uint8):  # bytes are pixels, and will be divided by 255
            raise InputError(f"{path}: x_{name} holds {part.x.dtype}, x_train {parts['train'].x.dtype}; make them alike")
        if row != expected:
            raise InputError(f"{path}: a row of x_{name} has the shape {row}, of x_train {expected}; make them alike")
    return parts


def _plain_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_arrays(path, lambda name: name[:2] in {"x_", "y_"})
    except (OSError, ValueError) as error:
        reason = "it holds Python objects (save names as y.astype(str)), or is not an archive" if "pickle" in str(error) else error
        raise InputError(f"{path}: is not an .npz of plain arrays ({reason}); write it with numpy.savez") from error


def _labelled(path: Path, name: str, arrays: dict[str, np.ndarray]) -> Labelled:
    x, y = arrays[f"x_{name}"], arrays.get(f"y_{name}", np.empty(0))
    if x.ndim < 2 or not len(x) or y.shape != (len(x),):
        raise InputError(f"{path}: x_{name} is {x.shape} and y_{name} {y.shape}, expected (n, ...) and (n,) with n of 1 or more")
    if x.dtype.kind not in "fiub":
        raise InputError(f"{path}: x_{name} holds {x.dtype}, expected numbers")
    if y.dtype.kind not in "fiubUS":
        raise InputError(f"{path}: y_{name} holds {y.dtype}, expected numbers or strings")
    if y.dtype.kind == "S":
        try:
            y = np.char.decode(y, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: y_{name} holds bytes that are not UTF-8 ({error}), expected numbers or strings") from error
    for key, array in ((f"x_{name}", x), (f"y_{name}", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = np.argwhere(~np.isfinite(array))[0][0]
            raise InputError(
                f"{path}: {key} row {row} (counted from 0) has a value that is not a finite number; correct or remove it"
            )
    return Labelled(x, y)
