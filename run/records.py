"""Files of results: lines of JSON, and tables as CSV."""

import csv
import functools
import io
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np

from data.errors import InputError
from data.files import replacing

Record = dict[str, Any]
FORMULAS = "=+-@"  # how a formula may begin
NUMBER = r"[+-][\d.,]+(e[+-]?\d+)?"  # text that begins like a formula and is none: also -1.234,5
ROOT = Path(__file__).resolve().parent.parent


def environment(device: str = "cpu") -> Record:
    """What a number depends on besides its configuration: versions, device, and the program's commit (None outside git).

    torch's version is included if this process has imported torch.
    """
    names = ("numpy", "scipy", "scikit-learn", *(("torch",) if "torch" in sys.modules else ()))
    return {"python": platform.python_version(), **{name: version(name) for name in names}, "device": device, "commit": _commit()}


@functools.cache
def _commit() -> str | None:
    """The commit that is checked out at the first call, with -dirty if any of the program's own files differs from it."""
    if not (ROOT / "pyproject.toml").exists():  # installed, perhaps in an environment within a user's own repository
        return None
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "*.py", "requirement.txt"], check=False).returncode
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head}-dirty" if changed else head


def json_line(record: Record) -> str:
    """A record as one line of JSON, floats with all digits. Raises `ValueError` for a value that is not finite."""
    return json.dumps(record, allow_nan=False) + "\n"


def write_lines(path: Path, records: Iterable[Record]) -> None:
    """Replace a file of JSON lines, whole or not at all. Raises `InputError` if it cannot be written."""
    write_text(path, "".join(map(json_line, records)))


def append_line(path: Path, record: Record) -> None:
    """Append a record to a file of JSON lines, in one write, so that the lines of two processes do not mix.

    If the last line was cut off, by a full disk say, the new line still begins on a line of its own. Raises `InputError`.
    """
    line = json_line(record).encode()
    try:
        with path.open("ab+") as file:
            if file.tell() and _last_byte(file) != b"\n":
                line = b"\n" + line
            while line:  # os.write may write only a part
                line = line[os.write(file.fileno(), line) :]
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); make room, or give another --result_dir") from error


def _last_byte(file: io.BufferedRandom) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def read_lines(path: Path) -> list[Record]:
    """All records in a file of JSON lines. Lines that were cut off or damaged are skipped. Raises `InputError`."""
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}), expected a file of result lines; move it away") from error
    records = []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], separator: str = ",", begin: str = "") -> None:
    """Write a table, whole or not at all, floats with all digits. Raises `InputError` if it cannot be written.

    begin: what stands before the header.
    """
    lines: list[str] = []
    # With its own line ends, \r\n, the writer quotes cells that hold line ends.
    writer = csv.writer(SimpleNamespace(write=lines.append), delimiter=separator)
    writer.writerow(map(harmless, header))
    writer.writerows(map(harmless, row) for row in rows)
    write_text(path, begin + "".join(line.removesuffix("\r\n") + "\n" for line in lines))


def harmless(cell: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula: text that begins like one gets an apostrophe first."""
    if not (isinstance(cell, str) and cell[:1] in FORMULAS and cell):
        return cell
    return cell if re.fullmatch(NUMBER, cell, re.IGNORECASE) else f"'{cell}"


def table_of(columns: Mapping[str, np.ndarray]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Header and rows for `write_csv`. columns: (m,) each, by name."""
    return list(columns), list(zip(*(column.tolist() for column in columns.values()), strict=True))


def write_text(path: Path, text: str) -> None:
    """Replace a file, whole or not at all. Raises `InputError` if it cannot be written."""
    with _written(path) as file:
        file.write(text.encode(errors="surrogateescape"))  # a file name may not be valid text


def write_parquet(path: Path, table: Any) -> None:
    """Replace a file by a table of pyarrow, whole or not at all. Raises `InputError` if it cannot be written."""
    from pyarrow.parquet import write_table

    with _written(path) as file:
        write_table(table, file)


@contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); make room, or give another --result_dir") from error


def remove(path: Path) -> None:
    """Remove a file of an earlier run, if there is one. Raises `InputError` if that fails."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); remove it, or give another --result_dir") from error
