"""The processes that `torchrun` starts to train one network together: who they are, and how one of them speaks for all."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist

from data.errors import InputError

RANK_TIMEOUT = timedelta(hours=1)  # how long a rank waits for another: rank 0 may be downloading
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

    An `InputError` is raised by rank 0 alone, so that it is said once; the other ranks leave with its status.
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
