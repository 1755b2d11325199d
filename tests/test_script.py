import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import LONGEST_MESSAGE, InputError
from Figure.lines import KEPT_LINES
from Figure.reproduce import MODULES
from run.flags import Parser, seed
from run.script import require_numpy, require_torch, run_script
from tests.invoke import ROOT, Ended


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


def flags() -> Parser:
    parser = Parser("RDIA.py", None)
    parser.add_argument("--seed", type=seed, help="of the noise")
    return parser


@pytest.mark.parametrize("script", [lambda: run_script("RDIA.py", importer("torch")), lambda: require_torch("RDIA.py", flags())])
def test_torch_that_is_not_installed_is_one_line_and_status_2(
    script: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(sys, "argv", ["RDIA.py", "--seed", "1"])
    with pytest.raises(SystemExit) as left:
        script()
    assert left.value.code == 2
    command = '`pip install -r requirement.txt` in a clone, else `pip install "rdia[torch]"`'
    assert capsys.readouterr() == ("", f"RDIA.py: error: this needs torch, which is not installed: {command}\n")


def test_without_torch_help_is_shown_and_a_wrong_flag_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for words, status in (("--help", 0), ("--seed=x", 2)):
        monkeypatch.setattr(sys, "argv", ["RDIA.py", words])
        with pytest.raises(SystemExit) as left:
            require_torch("RDIA.py", flags())
        assert left.value.code == status
    said = capsys.readouterr()
    assert "--seed SEED  of the noise\n" in said.out
    assert said.err.startswith("RDIA.py: error: argument --seed: got 'x', expected a whole number of 0 or more")


@pytest.mark.parametrize("name", ["RDIA.py", "RDIA-LS.py", "Figure.reproduce"])
def test_without_numpy_a_command_is_one_line_and_status_2(name: str) -> None:
    ended = blocked("numpy", name)
    expected = "this needs numpy, which is not installed: `make demo` sets up .venv in a clone; then run `. .venv/bin/activate`"
    assert (ended.status, ended.out, ended.err) == (2, "", f"{name}: error: {expected}\n")
    require_numpy(name)  # which is here


def blocked(module: str, name: str, *words: object) -> Ended:
    """A command where a module is not installed."""
    run = f"run_path({name!r}, run_name='__main__')" if name.endswith(".py") else f"run_module({name!r}, run_name='__main__')"
    code = f"""
import runpy, sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *places: None if name == {module!r} else find(name, *places)
sys.path.insert(0, "")
runpy.{run}
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_without_torch_the_flags_of_rdia_ls_are_shown() -> None:
    ended = blocked("torch", "RDIA-LS.py", "--help")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("usage: RDIA-LS.py [-h] [--dataset DATASET]")
    assert "--network {auto,mlp,cnn,resnet18}" in ended.out
    refused = blocked("torch", "RDIA-LS.py")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("RDIA-LS.py: error: this needs torch, which is not installed: ")


def test_without_torch_all_tables_and_pictures_of_what_is_kept_are_made(tmp_path: Path) -> None:
    shutil.copytree(KEPT_LINES, tmp_path / "kept")
    ended = blocked("torch", "Figure.reproduce", "all", "--kept", "--result_dir", tmp_path / "kept")
    assert (ended.status, ended.err) == (0, "")
    names = [line.partition(":")[0].partition(" ")[0] for line in ended.out.splitlines()]
    assert set(names) == set(MODULES)
    made = [Path(line.split()[-1]) for line in ended.out.splitlines() if " picture " in line]
    assert {path.name for path in made} >= {"noise.png", "gamma.png", "framework.png"}
    assert all(path.stat().st_size > 0 for path in made)


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
