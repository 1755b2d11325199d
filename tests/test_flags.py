import argparse
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

import pytest

from run.flags import Parser, add_data_dir, command_again, count, flag_tables, fraction, non_negative, number, positive, rate, seed
from run.ls_flags import ls_parser
from run.rdia_flags import rdia_parser

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
        with pytest.raises(ArgumentTypeError, match=f"^got '{text}', expected a whole number of 1 or more, such as 2$"):
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
        add_data_dir(flags.add_argument_group("data"))
        return flags.parse_args(arguments).data_dir

    monkeypatch.setenv("RDIA_DATA", "from_environment")
    assert data_dir("--data_dir", "from_flag") == Path("from_flag")
    assert data_dir() == Path("from_environment")
    monkeypatch.setenv("RDIA_DATA", "")
    assert data_dir() == Path(__file__).parents[1] / "data" / "downloads"


def test_the_table_of_flags_has_every_flag_in_its_group_with_its_default() -> None:
    table = flag_tables(small_parser())
    assert table.startswith("**options**\n\n| flag | default | meaning |\n| --- | --- | --- |\n| `--noise` | ")
    assert "--help" not in table
    table = flag_tables(rdia_parser())
    assert "\n| `--n_validation` | 30% of the training rows; 100 of the test rows | how many validation rows |\n" in table
    assert "\n| `--gpu` | networks: the first, else the CPU; linear models: the CPU | number of the GPU |\n" in table


@pytest.mark.parametrize("parser", [rdia_parser(), ls_parser()], ids=["RDIA", "RDIA-LS"])
def test_the_default_that_help_states_is_the_one_that_is_taken(parser: Parser) -> None:
    """A flag's help ends in its default, in brackets; where the parser itself has one, the two agree."""
    stated = 0
    for action in parser._actions:
        if action.default in {None, argparse.SUPPRESS, False} or action.dest == "data_dir":
            continue
        shown = (action.help or "").rpartition("[")[2].removesuffix("]")
        assert shown == (f"{action.default:g}" if isinstance(action.default, float) else str(action.default)), action.dest
        stated += 1
    assert stated > 5


def test_every_flag_is_in_a_named_group() -> None:
    for parser in (rdia_parser(), ls_parser()):
        titles = [group.title for group in parser._action_groups if group._group_actions]
        assert titles[:1] == ["options"]
        own = ["your own table"] if parser.prog == "RDIA.py" else []
        assert titles[1:] == ["data", *own, "method", "output", "where it runs"]
        first = [action for action in parser._action_groups[1]._group_actions if action.help != argparse.SUPPRESS]
        assert [action.dest for action in first] == ["help"]


def test_the_command_for_decisions_is_that_of_the_run_without_its_output() -> None:
    argv = [
        "/a/RDIA.py",
        "--dataset",
        "my data.csv",
        "--audit",
        "p.html",
        "--export",
        "cleanlab",
        "label_studio",
        "--json",
        "--seed",
        "3",
    ]
    assert command_again(argv) == "python RDIA.py --dataset 'my data.csv' --seed 3"
    assert command_again(["/bin/rdia", "--audit=p.html", "--dataset=a.csv", "--quiet"]) == "rdia --dataset=a.csv"
