"""One thread of torch's: small networks on few cores are faster so, and results the same on every machine with that BLAS."""

import os
import signal
from collections.abc import Iterator

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch; subprocesses inherit it


@pytest.fixture(autouse=True)
def ctrl_c_is_as_it_was() -> Iterator[None]:
    """A script that is called in this process answers it in its own way."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)
