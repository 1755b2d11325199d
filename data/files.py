"""Files written whole or not at all."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from data.errors import InputError

LOCK_SECONDS = 1.0  # to wait for another run to end


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path`, by an atomic rename, when the block ends without an error.

    It is written beside its place, so that a reader sees the old file or the new one, never a part. Raises `OSError` where the
    folder cannot be written.
    """
    path = Path(os.path.realpath(path))  # what a link points to is replaced, not the link
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def writable_folder(path: Path, flag: str, value: Path | None = None) -> Path:
    """`path`, made if it is missing, and tried with a file of no bytes.

    value: what `flag` was given, if that is a file in the folder. Raises `InputError` that names `flag` and its value.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        remedy = "give a file in a folder that can be" if value else "give a folder that can be"
        raise InputError(f"{flag} {value or path}: cannot be written ({error.strerror}); {remedy}") from error


@contextmanager
def only_writer(folder: Path, flag: str) -> Iterator[None]:
    """Keep other runs out of a folder until the block or this process ends. Raises `InputError` that names `flag`.

    Two runs that write their epochs into one folder would mix them.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            yield
    except Timeout as error:
        raise InputError(f"{flag} {folder}: another run writes there; wait for its end, or give another folder") from error


def refuse_endless(path: Path, flag: str) -> None:
    """Raise `InputError`, naming `flag`, for a pipe or a device, which may never end and cannot be read twice."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{flag} {path}: is a pipe or a device, expected a file; write its content to a file")
