"""One command in many processes, each to be killed: what takes seconds to import is imported once, and forked.

python -m tests.forked RDIA-LS    # a list of flags, a line of JSON, starts a process: its id comes back, and then its status
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from tests.invoke import ROOT, script


def train() -> Callable[[], None]:
    for name in ("matplotlib.pyplot", "sklearn.datasets"):
        importlib.import_module(name)
    return script("RDIA-LS").cli


def reproduce() -> Callable[[], None]:
    for name in ("joblib", "sklearn.datasets", "sklearn.linear_model", "Figure.linear_targets", "tests.test_sweep"):
        importlib.import_module(name)
    return importlib.import_module("Figure.reproduce").cli


COMMANDS = {"RDIA-LS": train, "reproduce": reproduce}


def serve(name: str) -> None:
    command = COMMANDS[name]()
    for line in sys.stdin:
        process = os.fork()
        if not process:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.argv[1:] = json.loads(line)
            status: object = 1
            try:
                status = command() or 0
            except SystemExit as end:
                status = end.code
            finally:
                os._exit(int(str(status)))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


class Forked:
    """The server, and calls of its command."""

    def __init__(self, name: str) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", name], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.communicate()

    def __call__(self, flags: Sequence[object], kill_after: float | None = None) -> int:
        """Its status once the command has ended, or is killed with all that it has started so many seconds after its start."""
        assert self._server.stdin
        assert self._server.stdout
        print(json.dumps([*map(str, flags)]), file=self._server.stdin, flush=True)
        process = int(self._server.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            for kill in (os.killpg, os.kill):  # it may have had no time to make a group of its own
                try:
                    kill(process, signal.SIGKILL)
                    break
                except ProcessLookupError:
                    continue
        return int(self._server.stdout.readline())

    def seconds(self, flags: Sequence[object]) -> float:
        """How long the command takes when nothing disturbs it; the second time, as the first still imports."""
        begin = time.monotonic()
        assert self(flags) == 0
        return time.monotonic() - begin


if __name__ == "__main__":
    serve(sys.argv[1])
