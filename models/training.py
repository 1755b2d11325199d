"""Training by RDIA-LS and the methods it is compared with, epoch by epoch, with all data on the device [released schedule]."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.augment import drawn_moves, moved
from models.cuda_graph import replayed
from models.methods import Batch, take_step
from models.settings import Settings, learning_rate
from models.transition import Transition
from models.trusted import Trusted, trusted_in_batch

BETAS = (0.9, 0.999)
LATE_BETA1 = 0.1  # Released: Adam's beta1 once the rate falls
SGD_MOMENTUM = 0.9  # of --optimizer sgd
EVALUATION_BATCH = 1_000
SHORTEST_AVERAGE = 5  # the averaging step is at least this over the number of steps: small data sets have few steps


class Tensors(NamedTuple):
    """A data set on the device."""

    x: Tensor  # (n, channels, height, width) float32 in [0, 1], or uint8
    labels: Tensor  # (n,) int64, as given
    correct: Tensor | None  # (n,) bool: whether the given label is the true one; None where that is not known
    x_test: Tensor
    labels_test: Tensor
    classes: int
    trusted: Trusted | None = None  # m samples that are trained on as well, with x as that of the others
    checked: Tensor | None = None  # (n,) bool, samples of whose label a person decided; None: none
    drawn: Tensor | None = None  # (n,) bool on the CPU, those of them that have the part of trusted samples in batches; None: none
    moves: Tensor | None = None  # (n + m, 3) how the training pictures are moved in this epoch (`models.augment`)


class State(NamedTuple):
    """Everything that changes while training, but the epoch."""

    network: nn.Module
    averaged: nn.Module  # what is evaluated: the network itself unless weights are averaged
    companion: nn.Module  # what the method trains beside it (`models.methods.companion`)
    optimizer: torch.optim.Optimizer
    order: torch.Generator  # of the batches
    moves: torch.Generator  # of the crops and flips


class Epoch(NamedTuple):
    """What one epoch did; shares are None where there is nothing to count."""

    epoch: int
    train_loss: float | None
    test_accuracy: float  # per cent
    test_recall: list[float | None]  # per class, per cent
    clean_share_kept: float | None  # of the samples kept, how many have the true label
    wrong_share_relabeled: float | None  # of the samples relabeled, how many have a wrong label


Forward = Callable[[State, Tensors, Tensor, Settings], Batch]  # as `forward` below


def start(network: nn.Module, companion: nn.Module, settings: Settings, order_seed: int, moves_seed: int = 0) -> State:
    """The state before the first epoch. order_seed: of the batches, moves_seed: of crops and flips."""
    averaged = copy.deepcopy(network) if settings.average else network
    parameters = [*network.parameters(), *companion.parameters()]  # one optimizer: it treats each by itself
    optimizer: torch.optim.Optimizer
    if settings.optimizer == "adam":
        optimizer = torch.optim.Adam(parameters, settings.lr, BETAS, weight_decay=settings.weight_decay, fused=True)
    else:
        optimizer = torch.optim.SGD(parameters, settings.lr, SGD_MOMENTUM, weight_decay=settings.weight_decay, fused=True)
    order, moves = (torch.Generator().manual_seed(seed) for seed in (order_seed, moves_seed))
    return State(network, averaged, companion, optimizer, order, moves)


def forward(state: State, data: Tensors, batch: Tensor, settings: Settings) -> Batch:
    """The outputs of the networks for the training samples at the places `batch` (B,); those of trusted ones begin at n."""
    labels, trusted = labels_at(data, batch)
    with torch.autocast(labels.device.type, torch.bfloat16, enabled=settings.amp):
        pixels = as_pixels(rows_at(data.x, data.trusted and data.trusted.x, batch))
        if data.moves is not None:
            pixels = moved(pixels, data.moves.index_select(0, batch))
        return Batch(state.network(pixels).float(), labels, state.companion(pixels).float(), trusted)


def labels_at(data: Tensors, batch: Tensor) -> tuple[Tensor, Tensor | None]:
    """The labels of a batch, (B,), and which of them are known to be right, (B,) bool; None where that is known of none."""
    n, known = len(data.labels), data.checked
    if data.trusted is None:
        return data.labels.index_select(0, batch), None if known is None else known.index_select(0, batch)
    right = batch >= n
    if known is not None:
        right |= known.index_select(0, batch.clamp(max=n - 1))
    return rows_at(data.labels, data.trusted.labels, batch), right


def rows_at(own: Tensor, trusted: Tensor | None, places: Tensor) -> Tensor:
    """Rows at these places (B,) of `own` (n, ...) with `trusted` (m, ...) below them, which are not copied together."""
    if trusted is None:
        return own.index_select(0, places)
    n = len(own)
    mine, others = own.index_select(0, places.clamp(max=n - 1)), trusted.index_select(0, (places - n).clamp(min=0))
    return torch.where((places >= n).view(-1, *[1] * (own.dim() - 1)), others, mine)


def train(state: State, data: Tensors, settings: Settings, first: int = 0, of_batch: Forward = forward) -> Iterator[Epoch]:
    """Train from epoch `first` to the last, changing `state`, and yield the record of each epoch.

    of_batch: computes the outputs for a batch; `models.devices.together` has one for several processes.
    """
    for epoch in range(first, settings.n_epoch):
        totals = train_epoch(state, data, settings, epoch, of_batch) if epoch else None
        yield evaluated(epoch, totals, state.averaged, data, settings)


def set_schedule(optimizer: torch.optim.Optimizer, settings: Settings, epoch: int) -> None:
    """Set the epoch's learning rate and, for Adam, beta1."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(settings, epoch)
        if "betas" in group:
            group["betas"] = (BETAS[0] if epoch < settings.epoch_decay_start else LATE_BETA1, BETAS[1])


class Totals(NamedTuple):
    """What happened in the batches of an epoch, as tensors on the device."""

    losses: Tensor  # (batches,)
    kept: Tensor  # places in the training set of the samples that were kept, batch after batch
    relabeled: Tensor  # places of the samples that were relabeled


def train_epoch(state: State, data: Tensors, settings: Settings, epoch: int, of_batch: Forward = forward) -> Totals:
    """One pass over the training set in batches without replacement; the last partial batch is dropped.

    Trusted samples have a part of every batch, beside the others, and no share in what is forgotten or discarded.
    On one GPU the steps after the first replay a CUDA graph, captured anew in each epoch, as the rates change with it.
    """
    set_schedule(state.optimizer, settings, epoch)
    if epoch == settings.init_epoch and isinstance(state.companion, Transition):
        state.companion.estimate(predict(state.network, data.x, settings), data.labels)
    state.network.train()
    state.companion.train()
    samples, trusted = places_of(data)
    size, device = settings.batch_size, data.labels.device
    own = size - trusted_in_batch(len(samples), len(trusted), size)
    settings = with_shares(settings, own / size)
    batches = batch_places(samples, trusted, size, own, state.order).to(device)
    if settings.augment != "none":
        data = data._replace(moves=drawn_moves(settings.augment, len(samples) + len(trusted), state.moves).to(device))
    weight = min(1.0, max(settings.average, SHORTEST_AVERAGE / (settings.n_epoch * len(batches))))

    def step(batch: Tensor) -> tuple[Tensor, ...]:
        loss, split = take_step(of_batch(state, data, batch, settings), settings, epoch)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        state.optimizer.step()
        if settings.average:
            follow(state.averaged, state.network, weight)
        return loss.detach(), batch[split.clean], batch[split.relabeled]

    found = [step(batches[0])]
    by_graph = device.type == "cuda" and of_batch is forward
    found += map(replayed(step, state.optimizer, batches[0]) if by_graph else step, batches[1:])
    losses, kept, relabeled = zip(*found, strict=True)
    return Totals(torch.stack(losses), torch.cat(kept), torch.cat(relabeled))


def with_shares(settings: Settings, part: float) -> Settings:
    """The settings with shares of a batch that are those of a part of it."""
    return settings._replace(forget_rate=part * settings.forget_rate, discard_rate=part * settings.discard_rate)


def places_of(data: Tensors) -> tuple[Tensor, Tensor]:
    """Places of the samples of whose labels there is doubt, and of those that are trusted, in ascending order."""
    everything = torch.arange(len(data.labels) + (len(data.trusted.labels) if data.trusted else 0))
    trusted = everything >= len(data.labels)
    if data.drawn is not None:
        trusted[: len(data.labels)] = data.drawn
    return everything[~trusted], everything[trusted]


def batch_places(samples: Tensor, trusted: Tensor, size: int, own: int, order: torch.Generator) -> Tensor:
    """Places of an epoch's batches, (batches, size): `own` of the samples, each once, then some of the trusted ones, in turn.

    samples, trusted: their places.
    """
    n, m = len(samples), len(trusted)
    batches = n // own
    places = samples[torch.randperm(n, generator=order)[: batches * own]].view(batches, own)
    if own == size:
        return places
    turns = math.ceil(batches * (size - own) / m)
    others = torch.cat([trusted[torch.randperm(m, generator=order)] for _ in range(turns)])[: batches * (size - own)]
    return torch.cat([places, others.view(batches, size - own)], 1)


def as_pixels(x: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1]; floats as they are."""
    return x.float().div_(255) if x.dtype == torch.uint8 else x


@torch.no_grad()
def follow(averaged: nn.Module, network: nn.Module, step: float) -> None:
    """averaged += step (network - averaged), parameters and buffers; a buffer of integers is copied."""
    pairs = list(zip(averaged.state_dict().values(), network.state_dict().values(), strict=True))
    floats = [(a, b) for a, b in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], step)
    for a, b in pairs:
        if not a.is_floating_point():
            a.copy_(b)


@torch.no_grad()
def evaluated(epoch: int, totals: Totals | None, network: nn.Module, data: Tensors, settings: Settings) -> Epoch:
    """The epoch's record. All its numbers leave the device in one transfer, the epoch's only wait for it."""
    right = predict(network, data.x_test, settings).argmax(1) == data.labels_test
    by_class = torch.zeros(2, data.classes, dtype=torch.float64, device=right.device)
    by_class.index_add_(1, data.labels_test, torch.stack([right, torch.ones_like(right)]).double())
    means = [_mean(totals.losses), *_shares(totals, data)] if totals else []
    numbers = torch.cat([by_class.flatten(), *(mean.unsqueeze(0) for mean in means)]).tolist()
    hits, sizes, rest = numbers[: data.classes], numbers[data.classes : 2 * data.classes], numbers[2 * data.classes :]
    loss, kept, relabeled = rest if totals else [math.nan] * 3
    return Epoch(
        epoch=epoch,
        train_loss=loss if totals else None,
        test_accuracy=100 * sum(hits) / sum(sizes),
        test_recall=[100 * hit / size if size else None for hit, size in zip(hits, sizes, strict=True)],
        clean_share_kept=None if math.isnan(kept) else kept,
        wrong_share_relabeled=None if math.isnan(relabeled) else relabeled,
    )


def _shares(totals: Totals, data: Tensors) -> list[Tensor]:
    """Shares of true labels among the kept, and of wrong labels among the relabeled; nan where there are none or it is unknown."""
    if data.correct is None:
        return [_mean(totals.losses[:0])] * 2
    kept = totals.kept[totals.kept < len(data.labels)] if data.trusted else totals.kept
    return [_mean(data.correct[kept]), _mean(~data.correct[totals.relabeled])]


def _mean(values: Tensor) -> Tensor:
    return values.double().mean()  # nan for no values


@torch.no_grad()
def predict(network: nn.Module, x: Tensor, settings: Settings) -> Tensor:
    """Probabilities, (n, K). x: (n, channels, height, width)."""
    network.eval()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=settings.amp):
        return torch.cat([network(as_pixels(rows)).float().softmax(1) for rows in x.split(EVALUATION_BATCH)])


def snapshot(state: State) -> dict[str, Any]:
    """`state` as tensors and numbers, for a checkpoint."""
    return {
        "network": state.network.state_dict(),
        "averaged": state.averaged.state_dict(),
        "companion": state.companion.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "order": state.order.get_state(),
        "moves": state.moves.get_state(),
    }


def restore(state: State, kept: dict[str, Any]) -> None:
    """Set `state` to what `snapshot` returned."""
    state.network.load_state_dict(kept["network"])
    state.averaged.load_state_dict(kept["averaged"])
    state.companion.load_state_dict(kept["companion"])
    state.optimizer.load_state_dict(kept["optimizer"])
    state.order.set_state(kept["order"])
    state.moves.set_state(kept["moves"])
