"""Inputs that once failed, and a few new ones for every reader; `python -m tests.fuzz` reads 100,000."""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from data.errors import InputError
from tests.fuzz.__main__ import inputs, read
from tests.fuzz.targets import TARGETS, Target
from tests.invoke import ROOT

CORPUS = sorted((ROOT / "tests" / "fuzz" / "corpus").iterdir())  # READER-NUMBER-FILE


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_failed_is_read_or_refused(path: Path, folder: Path) -> None:
    reader, _, name = path.name.split("-", 2)
    assert read(TARGETS[reader], (name, path.read_bytes()), folder) is None


@pytest.mark.parametrize("reader", TARGETS)
def test_inputs_that_are_nearly_good_are_read_or_refused(reader: str, folder: Path) -> None:
    good = TARGETS[reader].good()
    for one in (*good, *(inputs(reader, good, number, 0) for number in range(30))):
        found = read(TARGETS[reader], one, folder)
        assert found is None or found.endswith("MiB")  # the other tests' memory counts here


def raised(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize(
    ("use", "found"),
    [
        (lambda _: raised(ValueError("not caught")), "ValueError: not caught"),
        (lambda _: warnings.warn("loud", RuntimeWarning, stacklevel=1), "RuntimeWarning: loud"),
        (lambda _: raised(InputError("one line")), None),
        (lambda path: path.read_bytes(), None),
    ],
)
def test_a_reader_that_fails_is_found_out(use: object, found: str | None, folder: Path) -> None:
    report = read(Target(list, use), ("a", b"content"), folder)  # type: ignore[arg-type]
    assert report is None if found is None else report is not None and found in report


KILLER = """
import os, signal
import tests.fuzz.targets as targets

def use(path):
    if path.read_bytes() != b"good":
        os.kill(os.getpid(), signal.SIGKILL)

targets.TARGETS = {"killer": targets.Target(lambda: [("k", b"good")], use)}
from tests.fuzz.__main__ import main
main()
"""


def test_a_reader_that_ends_its_process_leaves_the_input_and_its_number(folder: Path) -> None:
    command = [sys.executable, "-c", KILLER, "--work", "killer", "3", "50", "1", str(folder)]
    ended = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    number, name = (folder / "at").read_text().split()
    assert int(number) >= 3
    assert (folder / name).read_bytes() != b"good"
