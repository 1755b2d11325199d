"""One thread of torch's: small networks on few cores are faster so, and results the same on every machine with that BLAS."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch; subprocesses inherit it
MUTMUT = Path("mutmut-stats.json")  # where mutmut runs the tests, and there alone: how long each takes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quickest first for mutmut, to which the first that fails is enough."""
    if MUTMUT.exists():
        seconds = json.loads(MUTMUT.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Here and in children, also where it is ignored, as after `&`; and a script that answers it in its own way leaves no trace."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
