"""Command-line flags. Every value is checked before any work begins."""

import argparse
import math
import os
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from data.errors import InputError
from run.records import ROOT
from run.script import error_line

AUTO = "auto"
MOST_COUNT = 10**9
SEED_DIGITS = 100
OF_THE_OUTPUT = {"--audit", "--draw", "--labels", "--result_dir", "--export", "--resume", "--json", "--quiet"}
QUOTED = 40  # characters: an error quotes no more of a value
DEFAULT = re.compile(r"(?P<meaning>.*) \[(?P<default>[^\]]*)\]")  # a flag's help ends in its default, in brackets


class Parser(argparse.ArgumentParser):
    """`argparse` with whole flag names only, and errors of one line without the usage text."""

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(
            prog=prog, description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        """Leave with status 2 and one line."""
        self.exit(error_line(self.prog, f"{message} (--help lists the flags)"))


def flag_tables(parser: Parser) -> str:
    """The parser's flags as Markdown, a table for each group: flag, default, meaning."""
    tables = []
    for group in parser._action_groups:
        rows = [_row(action) for action in group._group_actions if action.dest != "help" and action.help != argparse.SUPPRESS]
        if rows:
            tables.append("\n".join([f"**{group.title}**", "", "| flag | default | meaning |", "| --- | --- | --- |", *rows]))
    return "\n\n".join(tables)


def _row(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%")
    found = DEFAULT.fullmatch(text)
    meaning, default = (found["meaning"], found["default"]) if found else (text, "")
    name = ", ".join(f"`{name}`" for name in action.option_strings) or f"`{action.dest}`"
    return f"| {name} | {default} | {meaning} |"


def number(expected: str, accept: Callable[[float], bool]) -> Callable[[str], float]:
    """A reader of one finite number that `accept` accepts; `expected` names these numbers in an error."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and accept(value)):
            raise argparse.ArgumentTypeError(f"got '{text}', expected {expected}")
        return value

    return read


rate = number("a share from 0 up to, but not including, 1, such as 0.4", lambda value: 0 <= value < 1)
non_negative = number("a finite number of 0 or more, such as 0.0002", lambda value: value >= 0)
positive = number("a finite number above 0, such as 0.1", lambda value: value > 0)
weight = number("a number from 1e-9 to 1e9, such as 0.1", lambda value: 1e-9 <= value <= 1e9)
level = number("a share above 0 and below 1, such as 0.1", lambda value: 0 < value < 1)
fraction = number("a number from 0 to 1, such as 0.2", lambda value: 0 <= value <= 1)


def rate_or_auto(text: str) -> float | str:
    """A share from 0 up to, but not including, 1, or "auto"."""
    try:
        return AUTO if text == AUTO else rate(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or auto") from error


def number_or_auto(text: str) -> float | None:
    """A number of 0 or more, or None for "auto"."""
    try:
        return None if text == AUTO else non_negative(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or auto") from error


def count(text: str) -> int:
    """A whole number from 1 to 1e9."""
    if not (text.isascii() and text.isdigit() and text.strip("0")):
        raise argparse.ArgumentTypeError(f"got '{text[:QUOTED]}', expected a whole number of 1 or more, such as 2")
    if len(text) > SEED_DIGITS or int(text) > MOST_COUNT:
        raise argparse.ArgumentTypeError(f"got '{text[:QUOTED]}', expected a whole number of at most {MOST_COUNT:,}, such as 2")
    return int(text)


def seed(text: str) -> int:
    """A seed: a whole number of 0 or more, as `numpy.random.SeedSequence` takes it."""
    if not (text.isascii() and text.isdigit() and len(text) <= SEED_DIGITS):
        raise argparse.ArgumentTypeError(f"got '{text[:QUOTED]}', expected a whole number of 0 or more, such as 1")
    return int(text)


def place(text: str) -> Path:
    """A path."""
    if not text:
        raise argparse.ArgumentTypeError("got '', expected a path")
    return Path(text)


def default_data_dir() -> Path:
    """RDIA_DATA if it is set; else `data/downloads` of a clone, `~/.cache/rdia` of an installed package."""
    clone = ROOT / "data" / "downloads" if (ROOT / "pyproject.toml").exists() else Path.home() / ".cache" / "rdia"
    return Path(os.environ.get("RDIA_DATA") or clone)


def add_data_dir(flags: argparse._ArgumentGroup) -> None:
    """The flag --data_dir."""
    flags.add_argument(
        "--data_dir",
        type=place,
        default=default_data_dir(),
        help="folder of public data sets; missing ones are downloaded to it [RDIA_DATA, else data/downloads]",
    )


def add_size(flags: argparse._ArgumentGroup) -> None:
    """The flag --size."""
    flags.add_argument("--size", type=count, help="bring the pictures of a folder to so many pixels a side [as they are]")


def add_draw(flags: argparse._ArgumentGroup, prefix: str = "") -> None:
    """The flag --draw."""
    what = "the page has N training rows, drawn at random; given to --labels, the decided ones are trusted rows"
    flags.add_argument("--draw", type=count, metavar="N", help=prefix + what)


def check_draw(flags: argparse.Namespace, least: int) -> None:
    """Raise `InputError` for a --draw of fewer rows than are trusted, or without a page."""
    if flags.draw and flags.draw < least:
        raise InputError(f"--draw {flags.draw}: so few rows cannot judge the others, expected {least} or more; give 100")
    if flags.draw and not flags.audit:
        raise InputError(f"--draw {flags.draw}: is for the review page; add --audit page.html, or leave it out")


def command_again(argv: Sequence[str]) -> str:
    """The command line of this run, without what belongs to its output and to decisions: to be given again with --labels."""
    kept, left_out = list[str](), False
    for word in argv[1:]:
        if word.startswith("--"):
            left_out = word.partition("=")[0] in OF_THE_OUTPUT
        if not left_out:
            kept.append(word)
    program = Path(argv[0]).name
    return shlex.join([*(["python"] if program.endswith(".py") else []), program, *kept])


def add_output(flags: argparse._ArgumentGroup) -> None:
    """The flags --json and --quiet."""
    flags.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    flags.add_argument("--quiet", action="store_true", help="print only the results: no progress, no notes")
