"""The processes (ranks) that `torchrun` starts to train one network together."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist

from data.errors import InputError

RANK_TIMEOUT = timedelta(hours=1)  # a rank waits so long for another: rank 0 may be downloading
Result = TypeVar("Result")


class Ranks(NamedTuple):
    """The place of this process in the job; by default it is the only one."""

    rank: int = 0
    world: int = 1  # number of ranks
    local: int = 0  # place among the ranks of this machine
    local_world: int = 1  # number of ranks of this machine


ALONE = Ranks()


def on_ranks(main: Callable[[Ranks], None]) -> None:
    """Call `main` with the place of this process in the job: `ALONE` without `torchrun`, or if it starts only one process.

    An `InputError` is raised by rank 0 only, so that it is printed once; the other ranks exit with the same status, 2.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        main(ALONE)
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=RANK_TIMEOUT)
    try:
        main(Ranks(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))))
        dist.barrier()
    except InputError as error:
        if dist.get_rank():
            raise SystemExit(2) from error
        raise
    finally:
        dist.destroy_process_group()


def from_first(ranks: Ranks, act: Callable[[], Result]) -> Result:
    """Call `act` on rank 0 only and return its result on every rank. An `InputError` or `SystemExit` is raised on every rank."""
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
