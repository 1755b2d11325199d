"""A batch over several ranks: each looks at its rank_share of the rows, all see the logits of all.

Whatever a method makes of the logits, a split by loss and its means, it makes of the whole batch, on every rank alike. A rank
differentiates by its own rows alone, and DistributedDataParallel sums that up.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.devices.ranks import Ranks
from models.methods import Batch
from models.settings import Settings
from models.training import Forward, State, Tensors, forward


def rank_share(ranks: Ranks, size: int) -> slice:
    """This rank's places in a batch of `size`: a stretch of size / world, rounded up or down, of none if the ranks are more."""
    return slice(ranks.rank * size // ranks.world, (ranks.rank + 1) * size // ranks.world)


def among(everything: Tensor, own: Tensor, places: slice, world: int) -> Tensor:
    """`everything` (B, K) with `own` (b, K) at its `places`, for a loss of the batch to be differentiated by `own`.

    The gradient that reaches `own` is multiplied by `world`: DistributedDataParallel takes the mean over the ranks, where the
    gradient of the batch's loss is the sum.
    """
    if own.requires_grad:
        own.register_hook(lambda gradient: gradient * world)
    return torch.cat([everything[: places.start], own, everything[places.stop :]])


def gathered(ranks: Ranks, own: Tensor, size: int) -> Tensor:
    """The rows (size, K) of all ranks, of which this rank has `own`, in the order of the batch."""
    places = rank_share(ranks, size)
    everything = own.new_zeros(size, own.shape[1])
    everything[places] = own.detach()
    dist.all_reduce(everything)  # adds zeros: exact, and shares may differ in size
    return among(everything, own, places, ranks.world)


def forward_together(ranks: Ranks, state: State, settings: Settings) -> Forward:
    """`models.training.forward` by all ranks; every rank's weights become those of rank 0.

    A transition is not spread: each rank has its whole gradient, of the whole batch's logits, and moves it alike.
    """
    spread = settings.method == "co-teaching"
    companion = _parallel(state.companion) if spread else state.companion
    parallel = state._replace(network=_parallel(state.network), companion=companion)

    def together(_: State, data: Tensors, batch: Tensor, settings: Settings) -> Batch:
        size = len(batch)
        own = forward(parallel, data, batch[rank_share(ranks, size)], settings)
        second = gathered(ranks, own.second, size) if spread else own.second
        return Batch(gathered(ranks, own.logits, size), data.labels.index_select(0, batch), second)

    return together


def _parallel(network: nn.Module) -> nn.Module:
    return DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)
