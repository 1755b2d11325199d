import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest

from data.errors import LONGEST, InputError
from data.flags import Parser, add_data_dir, count, fraction, non_negative, number, positive, rate, run_script, seed
from tests.invoke import ROOT

Reader = Callable[[str], float]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (rate, "0", 0),
        (rate, "0.4", 0.4),
        (rate, "9.99e-1", 0.999),
        (non_negative, "0", 0),
        (non_negative, "2e-4", 0.0002),
        (non_negative, "1000", 1000),
        (positive, "1e-300", 1e-300),
        (fraction, "0", 0),
        (fraction, "1", 1),
        (positive, "0.1", 0.1),
    ],
)
def test_a_number_in_range_is_read(read: Reader, text: str, value: float) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "texts"),
    [
        (rate, ["1", "1.5", "-0.1", "40%"]),
        (non_negative, ["-0.1", "-1e-300"]),
        (positive, ["0", "-0.0", "-1", "1e-400"]),
        (fraction, ["1.0001", "-0.1"]),
        *((read, ["nan", "inf", "-inf", "1e400", "x", "", "0,4", "0x1"]) for read in (rate, non_negative, positive, fraction)),
    ],
)
def test_other_numbers_are_refused_with_what_was_given_and_expected(read: Reader, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ArgumentTypeError, match=f"^got '{text}', expected a .* such as 0.[0-9]+$"):
            read(text)


def test_a_reader_of_ones_own_says_what_it_expects() -> None:
    even = number("an even number", lambda value: value % 2 == 0)
    assert even("4") == 4
    with pytest.raises(ArgumentTypeError, match=r"^got '5', expected an even number$"):
        even("5")


@pytest.mark.parametrize("value", [0, 1, 2**128])
def test_a_whole_number_is_a_seed(value: int) -> None:
    assert seed(str(value)) == value


@pytest.mark.parametrize("text", ["-1", "+1", "1.0", "1e3", "", " 1", "x", "nan", "1_000", "\u0661", "\u00b2"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"expected a whole number of 0 or more, such as 1$"):
        seed(text)


def test_a_count_is_a_whole_number_of_1_or_more() -> None:
    assert (count("1"), count("200")) == (1, 200)
    for text in ("0", "-1", "1.0", "", "x", "\u0661"):
        with pytest.raises(ArgumentTypeError, match=f"^got '{text}', expected a whole number of 1 or more, such as 200$"):
            count(text)


def small_parser() -> Parser:
    flags = Parser("RDIA.py", "What it does.\n\n    and a command")
    flags.add_argument("--noise", type=rate, default=0.4)
    flags.add_argument("--seed", type=seed, default=1)
    flags.add_argument("--solver", choices=("direct", "cg"))
    return flags


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--noise", "1"], "argument --noise: got '1', expected a share from 0"),
        (["--seed", "9" * 5000], "argument --seed: "),
        (["--solver", "lu"], "argument --solver: invalid choice: 'lu'"),
        (["--noi", "0.1"], "unrecognized arguments: --noi 0.1"),
        (["--noise"], "argument --noise: expected one argument"),
        (["mnist"], "unrecognized arguments: mnist"),
        (["--noise", "1\n2"], "argument --noise: got '1"),
    ],
)
def test_a_bad_command_line_is_one_line_and_status_2(arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        small_parser().parse_args(arguments)
    out, err = capsys.readouterr()
    assert left.value.code == 2
    assert out == ""
    assert err.startswith(f"RDIA.py: error: {named}")
    assert err.endswith("(--help lists the flags)\n")
    assert err.count("\n") == 1


def test_help_keeps_the_lines_of_the_description(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        small_parser().parse_args(["--help"])
    assert "What it does.\n\n    and a command\n" in capsys.readouterr().out


def test_data_dir_is_the_flag_else_the_environment_else_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    def data_dir(*arguments: str) -> Path:
        flags = small_parser()
        add_data_dir(flags)
        return flags.parse_args(arguments).data_dir

    monkeypatch.setenv("RDIA_DATA", "from_environment")
    assert data_dir("--data_dir", "from_flag") == Path("from_flag")
    assert data_dir() == Path("from_environment")
    monkeypatch.setenv("RDIA_DATA", "")
    assert data_dir() == Path(__file__).parents[1] / "data" / "downloads"


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
    assert err.startswith("RDIA.py: interrupted; ")
    assert err.endswith(", do this\n")
    assert err.count("\n") == 1


def test_an_interrupt_in_an_eval_of_a_module_is_status_130_too(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import os, signal\nfrom data.flags import run_script\n"
        "run_script('x', lambda: eval('os.kill(os.getpid(), signal.SIGINT) or sum(range(10**6))'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "a"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count(b"\n")) == (130, 1)


LOST = {
    "for ever": "    pass\nwhile True: time.sleep(60)",
    "and a fault comes of it": "    raise ValueError('too large')",
    "and bad input comes of it": "    raise InputError('too large')",
    "and the end comes of it": "    pass",
}


def interrupted(tmp_path: Path, program: str) -> tuple[int, str, float]:
    """Status, what is said, and the seconds of a program to which Ctrl-C comes once it has written a line."""
    lines = "import sys, time; from pathlib import Path; from data.flags import run_script; from data.errors import InputError"
    (tmp_path / "a.py").write_text(f"{lines}\ndef main():\n{indent(program, '  ')}\nrun_script('x', main)\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "a.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == "here\n"
        begin = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    return running.returncode, err, time.monotonic() - begin


@pytest.mark.parametrize("after", LOST.values(), ids=LOST)
def test_an_interrupt_that_is_lost_is_raised_again(after: str, tmp_path: Path) -> None:
    """As in C code that takes an error in a look-up for an attribute that is not there."""
    begun = "print('here', flush=True)\ntry: time.sleep(60)\nexcept KeyboardInterrupt:\n"
    status, err, seconds = interrupted(tmp_path, begun + after)
    assert (status, err) == (130, "x: interrupted; nothing half-written is left, run the same command again\n")
    assert seconds < 3


def test_what_is_taken_away_after_an_interrupt_is_taken_away_to_its_end(tmp_path: Path) -> None:
    program = (
        "print('here', flush=True)\ntry: time.sleep(60)\n"
        "finally:\n  for name in 'abcdef':\n    time.sleep(0.1)\n    Path(name).touch()"
    )
    status, err, _ = interrupted(tmp_path, program)
    assert (status, err.count("\n")) == (130, 1)
    assert {path.name for path in tmp_path.iterdir()} >= set("abcdef")


def test_an_import_is_left_at_once(tmp_path: Path) -> None:
    program = "from data.flags import importing\nwith importing():\n  print('here', flush=True)\n  time.sleep(60)"
    status, err, seconds = interrupted(tmp_path, f"try:\n{indent(program, '  ')}\nfinally: Path('heard').touch()")
    assert (status, err.count("\n")) == (130, 1)
    assert not (tmp_path / "heard").exists()  # no exception came out of it
    assert seconds < 3


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_script("RDIA.py", main)


def test_a_script_that_ends_well_just_returns(capsys: pytest.CaptureFixture[str]) -> None:
    run_script("RDIA.py", lambda: print("done"))
    assert capsys.readouterr() == ("done\n", "")


@pytest.mark.parametrize("lines", [1, 100_000])  # held back until the end, or more than a pipe takes
def test_a_reader_that_leaves_ends_the_script_in_silence(lines: int) -> None:
    script = f"from data.flags import run_script; run_script('RDIA.py', lambda: print('line\\n' * {lines}))"
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


def test_a_script_whose_output_is_closed_ends_well() -> None:
    for flags in (["RDIA.py", "--quiet"], ["RDIA-LS.py", "--n_epoch", "2", "--init_epoch", "1", "--json"]):
        command = f"exec {sys.executable} {' '.join(flags)} >&-"
        ended = subprocess.run(["bash", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")


def test_a_message_that_quotes_a_whole_file_keeps_its_ends() -> None:
    whole = InputError(f"a.csv line 2: {'x' * 1900}; mend it")
    assert "..." not in str(whole)
    cut = str(InputError(f"a.csv line 2: {'x' * 5000}; mend it"))
    assert len(cut) == LONGEST
    assert cut.startswith("a.csv line 2: xxx")
    assert cut.endswith("xxx; mend it")
    assert "x ... x" in cut
