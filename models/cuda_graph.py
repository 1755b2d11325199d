"""A training step on a GPU as a CUDA graph: its hundreds of kernels are launched together, not one by one from Python."""

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor], tuple[Tensor, ...]]  # takes the places of a batch (B,), changes the networks, returns what it found


def replayed(step: Step, optimizer: torch.optim.Optimizer, batch: Tensor) -> Step:
    """`step` captured on a GPU, for batches of the size of `batch`. Nothing is computed before the first call.

    Whatever the step reads besides the batch, such as the learning rate, stays what it is now. The step may not wait for the
    device, and a step of `optimizer` must have been taken before, as the first one makes its state.
    """
    graph, static = torch.cuda.CUDAGraph(), batch.clone()
    adams = [group for group in optimizer.param_groups if "capturable" in group]
    for group in adams:
        group["capturable"] = True  # torch asks for it while it captures, and warns of it elsewhere
    with torch.cuda.graph(graph):
        found = step(static)
    for group in adams:
        group["capturable"] = False

    def replay(batch: Tensor) -> tuple[Tensor, ...]:
        static.copy_(batch)
        graph.replay()
        return tuple(value.clone() for value in found)

    return replay
