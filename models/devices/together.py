"""One batch on several ranks: each computes the logits of its share of the rows, and receives those of all others.

So every rank computes the loss of the whole batch, with the same split by loss and the same means. It differentiates only by its
own rows; DistributedDataParallel adds up these gradients.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.devices.ranks import Ranks
from models.methods import Batch
from models.settings import Settings
from models.training import Forward, State, Tensors, forward, labels_at


def rank_share(ranks: Ranks, size: int) -> slice:
    """This rank's places in a batch: a contiguous part of size / world rows, rounded up or down; empty if there are more ranks."""
    return slice(ranks.rank * size // ranks.world, (ranks.rank + 1) * size // ranks.world)


def among(everything: Tensor, own: Tensor, places: slice, world: int) -> Tensor:
    """`everything` (B, K) with `own` (b, K) at its `places`, so that a loss of the batch can be differentiated by `own`.

    The gradient that reaches `own` is multiplied by `world`, because DistributedDataParallel takes the mean over the ranks and
    the gradient of the batch's loss is the sum.
    """
    if own.requires_grad:
        own.register_hook(lambda gradient: gradient * world)
    return torch.cat([everything[: places.start], own, everything[places.stop :]])


def gathered(ranks: Ranks, own: Tensor, size: int) -> Tensor:
    """The rows (size, K) of all ranks, of which this rank has `own`, in the order of the batch."""
    places = rank_share(ranks, size)
    everything = own.new_zeros(size, own.shape[1])
    everything[places] = own.detach()
    dist.all_reduce(everything)  # adds zeros: exact, whatever the sizes of the shares
    return among(everything, own, places, ranks.world)


def forward_together(ranks: Ranks, state: State, settings: Settings) -> Forward:
    """`models.training.forward` on all ranks; first every rank gets the weights of rank 0.

    A transition matrix is not wrapped: every rank computes its whole gradient, from the logits of the whole batch.
    """
    spread = settings.method == "co-teaching"
    companion = _parallel(state.companion) if spread else state.companion
    parallel = state._replace(network=_parallel(state.network), companion=companion)

    def together(_: State, data: Tensors, batch: Tensor, settings: Settings) -> Batch:
        size = len(batch)
        own = forward(parallel, data, batch[rank_share(ranks, size)], settings)
        second = gathered(ranks, own.second, size) if spread else own.second
        labels, trusted = labels_at(data, batch)
        return Batch(gathered(ranks, own.logits, size), labels, second, trusted)

    return together


def _parallel(network: nn.Module) -> nn.Module:
    return DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)
