"""Batch norm over a batch that is spread over several ranks: torch's SyncBatchNorm on GPUs, our own on CPUs, where it has none."""

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

NORM_MOMENTUM = 0.1  # step of the running mean and variance: torch's default, which our networks keep


class SharedBatchNorm(_BatchNorm):
    """`nn.BatchNorm1d` or `2d` with the mean and variance of the rows of all ranks, which the gradient passes through."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def _check_input_dim(self, x: Tensor) -> None:
        """Accept inputs of any number of dimensions."""

    def forward(self, x: Tensor) -> Tensor:  # (n, C) or (n, C, h, w), n differs by rank and may be 0
        if not self.training:
            return super().forward(x)
        others = [0, *range(2, x.dim())]
        shape = [1, -1, *[1] * (x.dim() - 2)]
        sums = all_reduce(torch.cat([x.sum(others), x.new_tensor([x.numel() / x.shape[1]])]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = x - mean.view(shape)
        variance = all_reduce(centred.square().sum(others)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, NORM_MOMENTUM)
            self.running_var.lerp_(variance * (count / (count - 1)), NORM_MOMENTUM)
        return centred * (self.weight * (variance + self.eps).rsqrt()).view(shape) + self.bias.view(shape)


def share_norms(network: nn.Module, device: torch.device) -> nn.Module:
    """`network` with batch norms over all ranks. The names and values of parameters and buffers stay the same."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm):
            norm = SharedBatchNorm(child.num_features, child.eps, NORM_MOMENTUM).to(child.weight)
            norm.load_state_dict(child.state_dict())
            setattr(network, name, norm)
        else:
            share_norms(child, device)
    return network
