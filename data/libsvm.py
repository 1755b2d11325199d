"""LIBSVM (SVMlight) text files: `label index:value index:value ...`, a row a line, plain or compressed."""

import bz2
import codecs
import gzip
import hashlib
import io
import itertools
import lzma
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from data.arrays import read_arrays
from data.errors import InputError
from data.files import replacing
from data.on_disk import on_disk

OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
UNREADABLE = (ValueError, OverflowError, OSError, EOFError, zlib.error, lzma.LZMAError)
CACHED = ("key", "data", "indices", "indptr", "shape", "y", "spelling")
CACHE_FORMAT = 3  # raise it when what is kept in the cache changes
CSV = "is a CSV file; give it a name that ends with .csv"
NOT_LIBSVM = (b"PK", b"[", b"{")  # a spreadsheet, or JSON
OTHER_FORMAT = "is a spreadsheet or JSON; save it as CSV, or JSON as one object a line in a file that ends with .jsonl"
LINE_SHOWN = 60  # characters of a bad line that an error quotes
READ_BYTES = 2**20  # of a plain file, at a time


class LibsvmFile(NamedTuple):
    """One file as it stands: rows in the file's order, columns as the file numbers them (1 is column 1)."""

    x: Any  # (n, largest index + 1) float64: a CSR matrix, or rows on a cluster (`models.devices.on_dask`)
    y: np.ndarray  # (n,) float64
    spelling: tuple[str, ...]  # one per distinct label, ascending: as the file first writes it ("+1")


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of `path`, decompressed if its name ends in .gz, .bz2 or .xz."""
    opener = OPENERS.get(path.suffix)
    return opener(path) if opener else path.open("rb", READ_BYTES)


def read_libsvm(path: Path) -> LibsvmFile:
    """Read a LIBSVM file, from the cache `NAME.rdia-cache.npz` beside it if that was made from the file as it is now.

    Raises `InputError` for a file that is missing, empty, truncated, malformed (with the line) or not finite.
    """
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).digest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    key = np.array([CACHE_FORMAT, int.from_bytes(content, "little", signed=True)])
    cache = path.with_name(path.name + ".rdia-cache.npz")
    return _from_cache(cache, key) or _into_cache(cache, key, parse_libsvm(path))


def parse_libsvm(path: Path) -> LibsvmFile:
    """Read a LIBSVM file from its text. Raises `InputError`."""
    try:
        with open_bytes(path) as file:
            begin(file)
            read = parsed(file)
    except UNREADABLE as error:
        raise InputError(f"{path}: {_first_fault(path) or error}") from error
    return joined(path, read.x, [read.y], in_order(read))


def parsed(file: IO[bytes]) -> LibsvmFile:
    """The lines from here to the end, by scikit-learn's loader. Raises one of `UNREADABLE`."""
    from sklearn.datasets import load_svmlight_file  # here: a run from the cache does without

    start = file.tell()
    x, y = load_svmlight_file(file, dtype=np.float64, zero_based=True)
    if not (np.isfinite(y).all() and np.isfinite(x.data).all()):
        raise ValueError("has a value that is not a finite number")
    file.seek(start)
    return LibsvmFile(sp.csr_array(x), y, _spelling(file, np.unique(y)))


def read_on_disk(path: Path, block_rows: int) -> LibsvmFile:
    """The same as `read_libsvm`, with the rows in a temporary file (`data.on_disk`); so many are read at a time."""
    labels: list[np.ndarray] = []
    spelling: dict[float, str] = {}

    def rows() -> Iterator[sp.csr_array]:
        for read in pieces(path, block_rows):
            labels.append(read.y)
            spelling.update(in_order(read) | spelling)
            yield read.x

    x = on_disk(rows())
    return joined(path, x, labels, spelling)


def in_order(read: LibsvmFile) -> dict[float, str]:
    """How some lines write each of their distinct labels."""
    return dict(zip(np.unique(read.y).tolist(), read.spelling, strict=True))


def joined(path: Path, x: Any, labels: Sequence[np.ndarray], spelling: Mapping[float, str]) -> LibsvmFile:
    """A file that was read in pieces. Raises `InputError` where it is empty."""
    if not sum(map(len, labels)):
        raise InputError(f"{path}: is empty; expected lines of the form 'label index:value ...'")
    return LibsvmFile(x, np.concatenate(labels), tuple(spelling[value] for value in sorted(spelling)))


def pieces(path: Path, rows: int) -> Iterator[LibsvmFile]:
    """A LIBSVM file, so many lines at a time. Raises `InputError`."""
    try:
        with open_bytes(path) as file:
            begin(file)
            while text := b"".join(itertools.islice(file, rows)):
                yield parse_lines(path, text)
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path and the file") from error


def parse_lines(path: Path, text: bytes) -> LibsvmFile:
    """Some lines, `text`, of the file `path`. Raises `InputError` that names the line."""
    try:
        return parsed(io.BytesIO(text))
    except UNREADABLE as error:
        raise InputError(f"{path}: {_first_fault(path) or error}") from error


def line_ranges(path: Path, count: int) -> list[tuple[int, int]]:
    """Byte ranges (start, stop) of whole lines that make up a file, `count` of about the same size. Raises `InputError`."""
    try:
        with path.open("rb") as file:
            begin(file)
            size, cuts = path.stat().st_size, [file.tell()]
            for place in range(1, count):
                file.seek(max(cuts[-1], size * place // count))
                file.readline()
                cuts.append(file.tell())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return [(start, stop) for start, stop in itertools.pairwise([*cuts, size]) if stop > start]


def read_range(path: Path, start: int, stop: int) -> LibsvmFile:
    """The lines of a file in a range of `line_ranges`. Raises `InputError`."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            text = file.read(stop - start)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return parse_lines(path, text)


def begin(file: IO[bytes]) -> None:
    """Go to the first line, past the byte-order mark that some editors put before it."""
    file.seek(0)
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)


def _spelling(file: IO[bytes], distinct: np.ndarray) -> tuple[str, ...]:
    """How the file writes each distinct label, where it first does; stops reading once all are seen."""
    found: dict[float, str] = {}
    for line in file:
        label = line.partition(b"#")[0].split(maxsplit=1)[:1]
        if label and float(label[0]) in distinct:
            found.setdefault(float(label[0]), label[0].decode("ascii"))
            if len(found) == len(distinct):
                break
    return tuple(found[value] for value in distinct)


def _well_formed(tokens: list[bytes]) -> bool:
    """Whether the words of one line are a label and features in ascending order (no words at all: a blank line)."""
    pairs = [token.split(b":") for token in tokens[1:] if not token.startswith(b"qid:")]
    try:
        indices, values = [int(index) for index, _ in pairs], [float(value) for _, value in pairs]
        label = float(b"".join(tokens[:1]) or b"0")
    except ValueError:
        return False
    ascending = indices == sorted(set(indices)) and all(0 <= index < 2**31 - 1 for index in indices)
    return ascending and all(map(math.isfinite, [label, *values]))


def _first_fault(path: Path) -> str | None:
    """The first line that is not `_well_formed`, in words; None if the fault lies in the file's compression."""
    expected = "'label index:value ...', all finite numbers, indices ascending and below 2147483647"
    try:
        with open_bytes(path) as file:
            begin(file)
            for number, line in enumerate(file, start=1):
                if not _well_formed(line.partition(b"#")[0].split()):
                    if number == 1 and line.startswith(NOT_LIBSVM):
                        return OTHER_FORMAT
                    if number == 1 and b"," in line:
                        return CSV
                    shown = line.decode("ascii", "backslashreplace").rstrip()[:LINE_SHOWN]
                    return f"line {number} is '{shown}', expected {expected}; correct the line"
    except UNREADABLE as error:
        return f"cannot be unpacked ({error}); the file is damaged or cut short, fetch or copy it again"
    return None


def _into_cache(cache: Path, key: np.ndarray, read: LibsvmFile) -> LibsvmFile:
    """`read`, kept in `cache`; a folder that cannot be written costs the next run its time, and nothing else."""
    x = read.x
    values = key, x.data, x.indices, x.indptr, np.array(x.shape), read.y, np.array(read.spelling)
    try:
        with replacing(cache) as file:
            np.savez(file, **dict(zip(CACHED, values, strict=True)))  # a zip file has checksums of its own
    except OSError:
        pass
    return read


def _from_cache(cache: Path, key: np.ndarray) -> LibsvmFile | None:
    """What `cache` holds; None if it is missing, damaged, or of another version of the file."""
    try:
        kept = read_arrays(cache, CACHED.__contains__)
        if not np.array_equal(kept["key"], key) or (np.diff(kept["indptr"]) < 0).any():
            return None
        x = sp.csr_array((kept["data"], kept["indices"], kept["indptr"]), shape=tuple(kept["shape"]))
        x.check_format(full_check=True)
        if x.shape[1] != kept["indices"].max(initial=0) + 1:
            return None
        read = LibsvmFile(x, kept["y"], tuple(kept["spelling"].tolist()))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return read if len(np.unique(read.y)) == len(read.spelling) and read.y.shape == x.shape[:1] else None
