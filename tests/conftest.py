"""One thread of torch's: small networks on few cores are faster so, and results the same on every machine with that BLAS."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.invoke import Invoke, script

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch; subprocesses inherit it
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts jobs of `&` with Ctrl-C ignored, and so their children
MUTMUT = Path("mutmut-stats.json")  # where mutmut runs the tests, and there alone: how long each takes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quickest first for mutmut, to which the first that fails is enough."""
    if MUTMUT.exists():
        seconds = json.loads(MUTMUT.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


@pytest.fixture
def invoke(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """The entry script that the module of the test names as SCRIPT, called in this process."""
    name = request.module.SCRIPT
    return Invoke(script(name), f"{name}.py", monkeypatch, capsys)
