"""The processes that `torchrun` starts to train one network together: who they are, and how one of them speaks for all."""

import atexit
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple, NoReturn, TypeVar

import torch
import torch.distributed as dist

from data.errors import InputError

TIMEOUT = timedelta(hours=1)  # how long a rank waits for another: rank 0 may be downloading
LOST = (
    "a rank has ended, cannot be reached or was told to stop; the last checkpoint is intact: run the same command again, by any"
    " number of ranks, with --resume if --result_dir was given"
)
Result = TypeVar("Result")


class Ranks(NamedTuple):
    """This process among all of a job; by default the only one."""

    rank: int = 0
    world: int = 1  # how many there are
    local: int = 0  # place among those of this machine
    local_world: int = 1


ALONE = Ranks()


def on_ranks(main: Callable[[Ranks], None]) -> None:
    """Call `main` with this process's place in the job; without `torchrun`, or with one process of it, with `ALONE`.

    Whatever ends the job, the first rank to find it raises it, the others leave without a word: it is said once. That another
    rank has died, or that torchrun ends this one, is an `InputError` too.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        main(ALONE)
        return
    store, rank, world = next(dist.rendezvous("env://", timeout=TIMEOUT))  # torchrun's, which outlives a rank and --max-restarts
    store = dist.PrefixStore(os.environ["TORCHELASTIC_RESTART_COUNT"], store)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT, store=store, rank=rank, world_size=world)
    atexit.register(dist.destroy_process_group)  # whatever has to be said is said then: it may wait for ranks that are gone
    signal.signal(signal.SIGTERM, _stop)
    try:
        main(Ranks(rank, world, *(int(os.environ[name]) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))))
    except (InputError, KeyboardInterrupt, RuntimeError) as error:
        for name in (signal.SIGTERM, signal.SIGINT):  # torchrun sends them now
            signal.signal(name, signal.SIG_IGN)
        faulty = isinstance(error, RuntimeError)
        if faulty and not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        if not _first_to_say(store):
            raise SystemExit(2) from error
        if faulty:
            raise InputError(LOST) from error
        raise


def _stop(*_: object) -> NoReturn:
    raise InputError(LOST)


def _first_to_say(store: dist.Store) -> bool:
    try:
        return store.add("said", 1) == 1
    except dist.DistError:  # it went with torchrun or its machine: each rank that is left says it
        return True


def from_first(ranks: Ranks, act: Callable[[], Result]) -> Result:
    """What `act` gives on rank 0, where alone it is called; an `InputError` or a `SystemExit` of its is raised on every rank."""
    if ranks.world == 1:
        return act()
    given: list[Any] = [None]
    if ranks.rank == 0:
        try:
            given = [act()]
        except (InputError, SystemExit) as error:
            given = [error]
    dist.broadcast_object_list(given, 0, device=torch.device("cpu"))
    if isinstance(given[0], InputError | SystemExit):
        raise given[0]
    return given[0]
