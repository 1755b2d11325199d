"""Arrays in `.npz` and `.npy` files: data from outside, of which nothing is run."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

HASH_DIGITS = 16  # of a hash, hexadecimal
HASHED = 2**20  # elements of an array that are hashed at a time
LAST_CODE_POINT = 0x10FFFF  # the last code point there is


def read_arrays(path: Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file whose names are wanted.

    Raises `OSError` where the file cannot be opened, and `ValueError` where it is not what `numpy.savez` writes of plain arrays.
    """
    with path.open("rb") as file, _refused(), np.load(file, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files if wanted(name)}
    return {name: _plain(name, array) for name, array in arrays.items()}


def read_array(path: Path) -> np.ndarray:
    """The array of an `.npy` file. Raises `OSError` and `ValueError` as `read_arrays` does."""
    with path.open("rb") as file, _refused():
        array = np.lib.format.read_array(file, allow_pickle=False)
    return _plain("it", array)


@contextmanager
def _refused() -> Iterator[None]:
    """Whatever is raised of a file that cannot be read becomes a `ValueError`."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except Exception as error:  # numpy and zipfile raise a dozen kinds, `MemoryError` and `TokenError` among them
        raise ValueError(str(error) or type(error).__name__) from error


def _plain(name: str, array: np.ndarray) -> np.ndarray:
    """An array that can be used as it is. Raises `ValueError`."""
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is not an array")
    if array.dtype.kind == "U" and _code_points(array).max(initial=0) > LAST_CODE_POINT:
        raise ValueError(f"{name} has text that is not Unicode")
    # numpy keeps whatever byte is there, and calls 1 and 2 different
    return array.view(np.uint8) != 0 if array.dtype == bool else array


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
