"""Files written whole or not at all."""

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import IO

from data.errors import InputError

LINGERS = 1.0  # seconds for which what a killed run had started may still have its files open
LEFT = 24 * 3600  # seconds without a change after which a part was left by a killed run, and is not still being written


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path`, by an atomic rename, when the block ends without an error.

    It is written beside its place, so that a reader sees the old file or the new one, never a part. What killed writers of
    `path` have left is removed. Raises `OSError` where the folder cannot be written.
    """
    path = Path(os.path.realpath(path))  # what a link points to is replaced, not the link
    remove_left(path.parent, f".{escape(path.name)}.*.part")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def remove_left(folder: Path, pattern: str) -> None:
    """Remove the files and folders of this name in which nothing has changed for a day: killed runs have left them."""
    for path in folder.glob(pattern):
        with suppress(OSError):
            changed = max(part.stat().st_ctime for part in (path, *path.rglob("*")))
            if time.time() - changed > LEFT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def writable_folder(path: Path, flag: str) -> Path:
    """`path`, made if it is missing, and tried with a file of no bytes. Raises `InputError` that names `flag`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise InputError(f"{flag} {path}: cannot be written ({error.strerror}); give a folder that can be") from error


@contextmanager
def only_writer(folder: Path, flag: str) -> Iterator[None]:
    """Keep other processes that ask for it out of a folder, until the block ends or this process does, however that may be.

    Raises `InputError` that names `flag` where another is there. A file system without locks lets all in.
    """
    with ExitStack() as ending:
        with suppress(OSError):
            there = os.open(folder, os.O_RDONLY)
            ending.callback(os.close, there)
            begin = time.monotonic()
            while True:
                try:
                    fcntl.flock(there, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() - begin > LINGERS:
                        what = "another run writes there; wait for its end, or give another folder"
                        raise InputError(f"{flag} {folder}: {what}") from error
                    time.sleep(0.02)
        yield


def refuse_endless(path: Path, flag: str) -> None:
    """Raise `InputError`, naming `flag`, for a pipe or a device, which may never end and cannot be read twice."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{flag} {path}: is a pipe or a device, expected a file; write it to one first")
