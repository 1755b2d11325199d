"""How a command ends: bad input and Ctrl-C are one line on standard error."""

import errno
import io
import os
import signal
import sys
from collections.abc import Callable

from data.errors import InputError

AGAIN = "run the same command again"


def run_script(prog: str, main: Callable[[], None], remedy: str = AGAIN) -> None:
    """Run a command's `main`. An `InputError` becomes one line and status 2, Ctrl-C one line with a remedy and status 130.

    Any other exception is a fault of the program and keeps its traceback.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a class name that the terminal cannot show is no reason to fail
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main()
        sys.stdout.flush()
    except InputError as error:
        sys.exit(error_line(prog, str(error)))
    except KeyboardInterrupt:
        print(f"{prog}: interrupted; {remedy}", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python's flush at exit fails again
        if error.errno == errno.EPIPE:  # the reader of our output, `head` for example, has closed it
            sys.exit(128 + signal.SIGPIPE)
        sys.exit(error_line(prog, f"the output cannot be written ({error.strerror}); make room, and {AGAIN}"))


def error_line(prog: str, message: str) -> int:
    """Print an error as one line of printable characters, and give the exit status 2."""
    line = " ".join(message.split())
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)  # quoted files may hold control characters
    print(f"{prog}: error: {shown}", file=sys.stderr)
    return 2
