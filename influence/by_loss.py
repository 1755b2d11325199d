"""RDIA-LS: which samples of a batch to keep, relabel and discard, by their loss instead of by their influence [released].

In torch, without a transfer to the host: the sizes of the parts follow from the rates alone.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

FIRST = -math.inf  # in place of the loss of a sample that is to be kept


class Counts(NamedTuple):
    """How many samples of a batch of B are kept, relabeled and discarded, by ascending loss."""

    clean: int
    relabeled: int
    discarded: int


class Split(NamedTuple):
    """Places in the batch."""

    clean: Tensor  # (clean,)
    relabeled: Tensor  # (relabeled,)


def split_counts(batch: int, forget_rate: float, discard_rate: float) -> Counts:
    """clean = int((1 - F) B), discarded = int(d B) but no more than are left, relabeled = the others."""
    clean = int((1 - forget_rate) * batch)
    discarded = min(int(discard_rate * batch), batch - clean)
    return Counts(clean, batch - clean - discarded, discarded)


def split_by_loss(losses: Tensor, counts: Counts) -> Split:
    """The samples with the smallest losses are clean, those with the largest discarded, those between relabeled.

    losses: (B,). Equal losses keep the order of the batch.
    """
    order = torch.argsort(losses, stable=True)
    return Split(order[: counts.clean], order[counts.clean : counts.clean + counts.relabeled])


def smallest(losses: Tensor, count: int) -> Tensor:
    """Places of the `count` smallest losses (B,), ascending: the warm-up's choice [released]."""
    return torch.argsort(losses, stable=True)[:count]


def smallest_of_each_label(losses: Tensor, labels: Tensor, classes: int, count: int) -> Tensor:
    """Places of the `count` samples with the smallest keys: a sample's rank by loss within its given label, over the label's count.

    Each label keeps the same share, so that no label is lost however badly it starts. Of equal keys the smaller loss comes first;
    the loss `FIRST` comes before all keys.
    losses: (B,), labels: (B,) integers below `classes`.
    """
    order = torch.argsort(losses, stable=True)
    member = torch.nn.functional.one_hot(labels[order], classes)  # (B, K), by ascending loss
    rank = (member.cumsum(0) * member).sum(1) - 1  # (B,) within the label
    share = (rank / member.sum(0)[labels[order]]).masked_fill(losses[order] == FIRST, FIRST)
    return order[torch.argsort(share, stable=True)[:count]]
