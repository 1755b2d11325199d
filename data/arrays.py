"""Arrays in `.npz` files: data from outside, of which nothing is run."""

import hashlib
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

HASH_DIGITS = 16  # of a hash, hexadecimal
HASHED = 2**20  # elements of an array that are hashed at a time
LAST_CODE_POINT = 0x10FFFF  # the last code point there is


def read_arrays(path: Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file whose names are wanted.

    Raises `OSError` where the file cannot be opened, and `ValueError` where it is not what `numpy.savez` writes of plain arrays.
    """
    with path.open("rb") as file:
        try:
            with warnings.catch_warnings(action="ignore"), np.load(file, allow_pickle=False) as content:
                arrays = {name: content[name] for name in content.files if wanted(name)}
        except Exception as error:  # numpy and zipfile raise a dozen kinds, `MemoryError` and `TokenError` among them
            raise ValueError(str(error) or type(error).__name__) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{name} is not an array")
        if array.dtype.kind == "U" and _code_points(array).max(initial=0) > LAST_CODE_POINT:
            raise ValueError(f"{name} has text that is not Unicode")
        if array.dtype == bool:
            arrays[name] = array.view(np.uint8) != 0  # numpy keeps whatever byte is there, and calls 1 and 2 different
    return arrays


def _code_points(text: np.ndarray) -> np.ndarray:
    return np.frombuffer(text.astype(text.dtype.newbyteorder("=")).tobytes(), np.uint32)


def digest(arrays: Iterable[np.ndarray], text: str = "") -> str:
    """A hash of arrays, their types and shapes, and of a text, which may have the bytes of a file name."""
    found = hashlib.blake2b(digest_size=HASH_DIGITS // 2)
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        flat = np.ascontiguousarray(array).reshape(-1)
        for start in range(0, len(flat), HASHED):  # rows on disk need not fit into memory
            found.update(flat[start : start + HASHED].tobytes())
    found.update(text.encode(errors="surrogateescape"))
    return found.hexdigest()
