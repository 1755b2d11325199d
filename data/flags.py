"""Values of command-line flags, read as data from outside: each is checked before any work begins."""

import argparse
import errno
import gc
import io
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from data.errors import InputError


class Parser(argparse.ArgumentParser):
    """`argparse` with whole flag names only, and errors of one line without the usage text."""

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(
            prog=prog, description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        """Leave with status 2 and one line."""
        self.exit(_one_line(self.prog, f"{message} (--help lists the flags)"))


def number(expected: str, accept: Callable[[float], bool]) -> Callable[[str], float]:
    """A reader of one finite number for which `accept` holds; `expected` says in words which numbers those are."""

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
fraction = number("a number from 0 to 1, such as 0.2", lambda value: 0 <= value <= 1)


MOST = 10**9  # of what is counted
LONGEST = 100  # digits of a seed
SHOWN = 40  # characters of a value that an error quotes


def count(text: str) -> int:
    """A whole number from 1 to 1e9."""
    if not (text.isascii() and text.isdigit() and text.strip("0")):
        raise argparse.ArgumentTypeError(f"got '{text[:SHOWN]}', expected a whole number of 1 or more, such as 200")
    if len(text) > LONGEST or int(text) > MOST:
        raise argparse.ArgumentTypeError(f"got '{text[:SHOWN]}', expected a whole number of {MOST:,} at most, such as 200")
    return int(text)


def place(text: str) -> Path:
    """A path."""
    if not text:
        raise argparse.ArgumentTypeError("got '', expected a path")
    return Path(text)


def seed(text: str) -> int:
    """A seed: a whole number of 0 or more, as `numpy.random.SeedSequence` takes it."""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST):
        raise argparse.ArgumentTypeError(f"got '{text[:SHOWN]}', expected a whole number of 0 or more, such as 1")
    return int(text)


def add_data_dir(flags: Parser) -> None:
    """The flag --data_dir: by default the environment's RDIA_DATA, else `downloads` in this package's folder."""
    default = Path(os.environ.get("RDIA_DATA") or Path(__file__).resolve().parent / "downloads")
    flags.add_argument(
        "--data_dir", type=place, default=default, help="where public data sets lie or go (RDIA_DATA, or data/downloads)"
    )


AGAIN = "run the same command again"
HEARD = 0.2  # seconds after which a Ctrl-C that was lost is raised again
_SCRIPT = {"prog": "", "remedy": AGAIN}  # what is running
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
INTERRUPTED = 128 + signal.SIGINT


def leave_on_interrupt(prog: str, remedy: str = AGAIN) -> None:
    """Let Ctrl-C end the process at once, with one line, until `run_script` takes over.

    A script calls it before its imports: they take seconds, and write nothing that has to be taken away.
    """
    _SCRIPT.update(prog=prog, remedy=remedy)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
        signal.signal(signal.SIGINT, _leave)


def _leave(*_: object) -> NoReturn:
    _say_interrupted(**_SCRIPT)
    os._exit(INTERRUPTED)


@contextmanager
def importing() -> Iterator[None]:
    """Ctrl-C ends the process at once, too, in a later import of C++, which aborts where an exception comes out of Python."""
    answered = signal.getsignal(signal.SIGINT) is _interrupt and threading.current_thread() is threading.main_thread()
    if answered:
        signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        if answered:
            signal.signal(signal.SIGINT, _interrupt)


def run_script(prog: str, main: Callable[[], None], remedy: str = AGAIN) -> None:
    """Run a script's `main`: an `InputError` becomes one line and exit status 2, Ctrl-C one line with a remedy and 130."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123,SIM115 - it was closed before the start
    if isinstance(sys.stdout, io.TextIOWrapper):  # what the terminal cannot show is shown by its number, as on stderr
        sys.stdout.reconfigure(errors="backslashreplace")
    _SCRIPT.update(prog=prog, remedy=remedy)
    if callable(signal.getsignal(signal.SIGINT)):
        signal.signal(signal.SIGINT, _interrupt)
    try:
        _heard(main)
    except InputError as error:
        sys.exit(_one_line(prog, str(error)))
    except KeyboardInterrupt:
        _say_interrupted(prog, remedy)
        exec("")  # Python remembers a Ctrl-C that came through an eval, as in imports, and would not end with this status
        gc.freeze()  # Python would spend a second on collecting torch,
        logging.getLogger("torch").setLevel(logging.CRITICAL)  # and torch, where its import was interrupted, report on its caches
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output, `head` say, has left: not a fault
        _leave_output()
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if error.errno not in FULL:
            raise
        _leave_output()
        sys.exit(_one_line(prog, f"there is no room for the output ({error.strerror}); make room, and run it again"))


def _interrupt(*_: object) -> NoReturn:
    """End the script, and let nothing disturb how it ends: not a second Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _interrupt_again)
    signal.setitimer(signal.ITIMER_REAL, HEARD, HEARD)
    raise KeyboardInterrupt


def _interrupt_again(*_: object) -> None:
    """Raise what was lost: C code, as torch's, takes an error in an attribute's look-up for an attribute that is not there."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt):  # it is on its way, and something is being taken away first
            return
        error = error.__context__
    raise KeyboardInterrupt


def _heard(main: Callable[[], None]) -> None:
    """Call `main`, and raise `KeyboardInterrupt` after a Ctrl-C, whatever came of it."""
    try:
        main()
        sys.stdout.flush()
        if _interrupted():
            raise KeyboardInterrupt
    except Exception as error:  # any may come of a look-up that was cut off; each is raised again
        if _interrupted():
            raise KeyboardInterrupt from error
        raise
    finally:
        if _interrupted():
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _interrupted() -> bool:
    return signal.getsignal(signal.SIGALRM) is _interrupt_again


def _say_interrupted(prog: str, remedy: str) -> None:
    print(f"{prog}: interrupted; nothing half-written is left, {remedy}", file=sys.stderr)


def _leave_output() -> None:
    """Send what is still to be written to nowhere, so that Python's own flush at the end finds no fault."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(prog: str, message: str) -> int:
    line = " ".join(message.split())
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)  # no sign is left to steer a terminal
    print(f"{prog}: error: {shown}", file=sys.stderr)
    return 2
