"""How a command ends: bad input, Ctrl-C, and numpy or torch that is not installed are one line on standard error."""

import errno
import io
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from importlib.util import find_spec

from data.errors import InputError

AGAIN = "run the same command again"
TORCH = ("torch", "torchvision")  # which linear models do without
NO_TORCH = 'this needs {}, which is not installed: `pip install -r requirement.txt` in a clone, else `pip install "rdia[torch]"`'

NO_NUMPY = "this needs numpy, which is not installed: `make demo` sets up .venv in a clone; then run `. .venv/bin/activate`"


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
    except ModuleNotFoundError as error:
        if error.name not in TORCH:
            raise
        sys.exit(error_line(prog, NO_TORCH.format(error.name)))
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


def require_numpy(prog: str) -> None:
    """Leave with one line and status 2 where numpy is not installed, as outside the environment of a clone."""
    if not find_spec("numpy"):
        sys.exit(error_line(prog, NO_NUMPY))


def require_torch(prog: str, flags: ArgumentParser) -> None:
    """Leave with one line and status 2 where torch is not installed: for a script whose imports need it.

    The command line is read before that, so that --help shows the flags, and a wrong flag is named.
    """
    if not find_spec("torch"):
        flags.parse_args()
        sys.exit(error_line(prog, NO_TORCH.format("torch")))


def error_line(prog: str, message: str) -> int:
    """Print an error as one line of printable characters, and give the exit status 2."""
    line = " ".join(message.split())
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)  # quoted files may hold control characters
    print(f"{prog}: error: {shown}", file=sys.stderr)
    return 2
