import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import LONGEST_MESSAGE, InputError
from run.script import require_torch, run_script


def test_an_input_error_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise InputError("a.svm: line 2 is '1\n2'; mend\tthe line")

    with pytest.raises(SystemExit) as left:
        run_script("RDIA.py", main)
    assert left.value.code == 2
    assert capsys.readouterr() == ("", "RDIA.py: error: a.svm: line 2 is '1 2'; mend the line\n")


def test_an_interrupt_is_one_line_and_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        run_script("RDIA.py", main, remedy="do this")
    assert left.value.code == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "RDIA.py: interrupted; do this\n"
    assert err.count("\n") == 1


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_script("RDIA.py", main)


def importer(module: str) -> Callable[[], None]:
    def main() -> None:
        importlib.import_module(module)

    return main


@pytest.mark.parametrize("script", [lambda: run_script("RDIA.py", importer("torch")), lambda: require_torch("RDIA.py")])
def test_torch_that_is_not_installed_is_one_line_and_status_2(
    script: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit) as left:
        script()
    assert left.value.code == 2
    command = '`pip install -r requirement.txt` in a clone, else `pip install "rdia[torch]"`'
    assert capsys.readouterr() == ("", f"RDIA.py: error: this needs torch, which is not installed: {command}\n")


def test_another_module_that_is_not_there_is_a_fault_of_the_program() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        run_script("RDIA.py", importer("no_such_module"))


def test_a_script_that_ends_well_just_returns(capsys: pytest.CaptureFixture[str]) -> None:
    run_script("RDIA.py", lambda: print("done"))
    assert capsys.readouterr() == ("done\n", "")


@pytest.mark.parametrize("lines", [1, 100_000])  # held back until the end, or more than a pipe takes
def test_a_reader_that_leaves_ends_the_script_in_silence(lines: int) -> None:
    script = f"from run.script import run_script; run_script('RDIA.py', lambda: print('line\\n' * {lines}))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_message_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise InputError("'\x1b[31m\0\udcff é \u202e': expected a name")

    with pytest.raises(SystemExit):
        run_script("x", main)
    assert capsys.readouterr().err == r"x: error: '\x1b[31m\x00\udcff é \u202e': expected a name" + "\n"


def test_a_message_that_quotes_a_whole_file_keeps_its_ends() -> None:
    whole = InputError(f"a.csv line 2: {'x' * 1900}; mend it")
    assert "..." not in str(whole)
    cut = str(InputError(f"a.csv line 2: {'x' * 5000}; mend it"))
    assert len(cut) == LONGEST_MESSAGE
    assert cut.startswith("a.csv line 2: xxx")
    assert cut.endswith("xxx; mend it")
    assert "x ... x" in cut
