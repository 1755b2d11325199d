"""Sparse rows as `scipy.sparse.save_npz` writes them, NAME.npz, with the labels beside them as numpy.save does, NAME.labels.npy."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from data.arrays import read_array, read_arrays
from data.errors import InputError

PYTHON_OBJECTS = "it holds Python objects: save names as np.asarray(y, dtype=str)"
SPARSE_NAMES = {"data", "indices", "indptr", "shape", "format"}  # of the arrays in the file
MOST_COLUMNS = 2**31 - 1  # as of a LIBSVM file
FORMATS_READ = {b"csr": sp.csr_array, b"csc": sp.csc_array}


def sparse_arrays(path: Path) -> dict[str, Any]:
    """x_train, y_train and, from NAME.val.npz and NAME.test.npz beside the file, those of the other parts.

    x: CSR or CSC matrices, y: as they were saved. Raises `InputError`.
    """
    found: dict[str, Any] = {}
    for part, end in (("train", ""), ("val", ".val"), ("test", ".test")):
        file = path.with_name(f"{path.stem}{end}.npz")
        if part == "train" or file.exists():
            found |= {f"x_{part}": _rows(file), f"y_{part}": _labels(file.with_suffix(".labels.npy"))}
    return found


def _rows(path: Path) -> Any:
    try:
        kept = read_arrays(path, SPARSE_NAMES.__contains__)
        kind = FORMATS_READ[kept["format"].item()]
        x = kind((kept["data"], kept["indices"], kept["indptr"]), shape=tuple(kept["shape"].tolist()))
        x.check_format(full_check=True)
        if not all(kept[name].dtype.kind in "iu" for name in ("indices", "indptr")) or (np.diff(x.indptr) < 0).any():
            raise ValueError("indices and indptr have to be whole numbers, and indptr has to ascend")
        if x.shape[1] > MOST_COLUMNS:
            raise ValueError(f"it has {x.shape[1]:,} columns, expected at most {MOST_COLUMNS:,}")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path}: holds no sparse rows that can be read ({error}); write it with scipy.sparse.save_npz(PATH, x.tocsr())"
        ) from error
    return x


def _labels(path: Path) -> np.ndarray:
    try:
        return read_array(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: is not there, and has to hold the labels of these rows; write it with numpy.save") from error
    except (OSError, ValueError) as error:
        reason = PYTHON_OBJECTS if "Object arrays" in str(error) else error
        raise InputError(f"{path}: holds no labels that can be read ({reason}); write it with numpy.save") from error
