"""A Dask cluster."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from data.errors import InputError

CONNECT = 10  # seconds to wait for a scheduler


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """A connection to a scheduler that has workers, which can import this program. Raises `InputError`."""
    try:
        from dask.distributed import CancelledError, Client
        from distributed.client import ClosedClientError
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise InputError(f"--dask {address}: Dask is not installed; run `pip install distributed`, or leave --dask out") from error
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is said below, in one line
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--dask {address}: there is no scheduler ({error}); start `dask scheduler`, and give its address, as tcp://HOST:8786"
        ) from error
    with client:
        try:
            if not client.scheduler_info()["workers"]:
                raise InputError(f"--dask {address}: the scheduler has no workers; start some by `dask worker {address}`")
            _probe(client, address)
            client.direct_to_workers = _reached(client)
            yield client
        except (CancelledError, CommClosedError, ClosedClientError) as error:
            raise InputError(f"--dask {address}: the scheduler is gone; start it and its workers, and run this again") from error


def _probe(client: Any, address: str) -> None:
    """Have a worker call a function of this program. Raises `InputError`."""
    try:
        client.submit(same, 0, pure=False).result(timeout=CONNECT)
    except (RuntimeError, ImportError, TimeoutError) as error:
        raise InputError(
            f"--dask {address}: cannot import this program; start scheduler and workers in the clone, as"
            " `PYTHONPATH=. dask scheduler`, with the same Python and packages"
        ) from error


def _reached(client: Any) -> bool:
    """Whether this machine has a way to the workers that is not through the scheduler."""
    try:
        client.scatter(0, direct=True, hash=False)
    except OSError:  # the time is up, too
        return False
    return True


def same(value: Any) -> Any:
    """The value, as a task."""
    return value
