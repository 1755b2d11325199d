"""What each method does with a batch: its loss, and the samples that it keeps or relabels."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from influence.by_loss import FIRST, Split, smallest, smallest_of_each_label, split_by_loss, split_counts
from models.robust_loss import rdia_ls_loss
from models.settings import Method, Settings, forget_rate
from models.transition import Transition, forward_losses

SIGUA_SCALE = 0.01  # of the ascent on the samples that are unlearned (Han et al. 2020)
SIGUA_RATES, SIGUA_PARTS = (0.2, 0.5), (0.4, 0.3)  # noise rate, and the part of the large losses that is unlearned


class Batch(NamedTuple):
    """The outputs of the networks for a batch."""

    logits: Tensor  # (B, K)
    labels: Tensor  # (B,) as given
    second: Tensor  # of the companion: logits (B, K) of co-teaching's peer, or ln T (K, K) of a transition
    trusted: Tensor | None = None  # (B,) bool: samples whose label is known to be right; None where there are none


class BatchStep(NamedTuple):
    """The loss of a batch, and which samples are in it."""

    loss: Tensor
    split: Split


def companion(method: Method, classes: int, peer: Callable[[], nn.Module]) -> nn.Module:
    """What a method trains beside its network: a second network (`peer`), a transition matrix, or nothing (the identity)."""
    if method == "co-teaching":
        return peer()
    if method in {"f-correction", "s-model"}:
        return Transition(classes, learned=method == "s-model")
    return nn.Identity()


def take_step(batch: Batch, settings: Settings, epoch: int) -> BatchStep:
    """Loss and split of a batch by the method that `settings` names."""
    return RULES[settings.method](batch, settings, epoch)


def erm(batch: Batch, settings: Settings, epoch: int) -> BatchStep:  # noqa: ARG001 - all rules have these arguments
    """Empirical risk minimisation: the mean cross-entropy of all samples."""
    everything = torch.arange(len(batch.labels), device=batch.labels.device)
    return BatchStep(cross_entropy(batch.logits, batch.labels), _kept(everything))


def self_teaching(batch: Batch, settings: Settings, epoch: int) -> BatchStep:
    """The mean cross-entropy of the int((1 - F) B) smallest losses; in a balanced warm-up, of each given label's smallest."""
    losses, keep = ranked_losses(batch), kept_count(batch, settings, epoch)
    if settings.warmup == "balanced" and epoch < settings.init_epoch:
        kept = smallest_of_each_label(losses, batch.labels, batch.logits.shape[1], keep)
    else:
        kept = smallest(losses, keep)
    return BatchStep(_mean_loss(batch.logits, batch.labels, kept), _kept(kept))


def rdia_ls(batch: Batch, settings: Settings, epoch: int) -> BatchStep:
    """Self-teaching as warm-up, then the relabeled objective (Kong et al. 2022)."""
    if epoch < settings.init_epoch:
        return self_teaching(batch, settings, epoch)
    counts = split_counts(len(batch.labels), forget_rate(settings, epoch), settings.discard_rate)
    split = split_by_loss(ranked_losses(batch), counts)
    return BatchStep(rdia_ls_loss(batch.logits, batch.labels, *split, settings.gamma, settings.objective), split)


def co_teaching(batch: Batch, settings: Settings, epoch: int) -> BatchStep:
    """Two networks, each trained on the other's smallest losses (Han et al. 2018).

    The loss is the sum of both, whose gradient is each one's own; the split is what the first network is trained on.
    """
    keep = kept_count(batch, settings, epoch)
    for_peer, for_first = (smallest(detached_losses(logits, batch.labels), keep) for logits in (batch.logits, batch.second))
    loss = _mean_loss(batch.logits, batch.labels, for_first) + _mean_loss(batch.second, batch.labels, for_peer)
    return BatchStep(loss, _kept(for_first))


def sigua(batch: Batch, settings: Settings, epoch: int) -> BatchStep:
    """The mean of the smallest losses, less a small multiple of the mean of the first of the rest (Han et al. 2020).

    No part is published above 50% noise: that of 50% is taken.
    """
    keep = kept_count(batch, settings, epoch)
    part = float(np.interp(settings.forget_rate, SIGUA_RATES, SIGUA_PARTS))
    order = torch.argsort(detached_losses(batch.logits, batch.labels), stable=True)
    kept, unlearned = order[:keep], order[keep : keep + int(part * (len(order) - keep))]
    loss = _mean_loss(batch.logits, batch.labels, kept)
    if len(unlearned):
        loss = loss - SIGUA_SCALE * _mean_loss(batch.logits, batch.labels, unlearned)
    return BatchStep(loss, _kept(kept))


def through_transition(batch: Batch, settings: Settings, epoch: int) -> BatchStep:
    """ERM as warm-up, then the cross-entropy of the given labels behind T: forward correction and S-model.

    Paper: both train a first network to the end, estimate T from it, and start anew; here the network goes on.
    """
    step = erm(batch, settings, epoch)
    if epoch < settings.init_epoch:
        return step
    return step._replace(loss=forward_losses(batch.logits, batch.second, batch.labels).mean())


RULES: dict[Method, Callable[[Batch, Settings, int], BatchStep]] = {
    "erm": erm,
    "self-teaching": self_teaching,
    "rdia-ls": rdia_ls,
    "co-teaching": co_teaching,
    "sigua": sigua,
    "f-correction": through_transition,
    "s-model": through_transition,
}


def detached_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each sample, (B,), without gradient."""
    return cross_entropy(logits.detach(), labels, reduction="none")


def ranked_losses(batch: Batch) -> Tensor:
    """`detached_losses`, but below all others for trusted samples, so that these are kept, (B,)."""
    losses = detached_losses(batch.logits, batch.labels)
    return losses if batch.trusted is None else losses.masked_fill(batch.trusted, FIRST)


def kept_count(batch: Batch, settings: Settings, epoch: int) -> int:
    """int((1 - F) B); all of them if that is none [released]."""
    size = len(batch.labels)
    return split_counts(size, forget_rate(settings, epoch), settings.discard_rate).clean or size


def _mean_loss(logits: Tensor, labels: Tensor, places: Tensor) -> Tensor:
    return cross_entropy(logits[places], labels[places])


def _kept(places: Tensor) -> Split:
    return Split(places, places[:0])
