"""The share of wrong labels, estimated from the labels alone: by networks that judge the half of the samples they have not seen."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from data.telling import Progress, silent
from models.promise import QUANTILE, Estimate
from models.settings import Settings
from models.training import Tensors, predict, start, train

SUREST = 0.3  # of the samples of each predicted class: where the network is surest, another label is a wrong one
EPOCHS, STEPS, BATCH_OF_HALF = 4, 600, 64  # epochs of a half, or so many as these steps take
AVERAGE = 0.0005  # step of the averaged weights
LEAST_LIKELY = 1 / 3  # of the classes beside the predicted one
# Chosen on halves of 1,000 to 20,000 samples of CIFAR-10 (of which an MLP gets a third right), MNIST and the digits, and on tables:
LEAKED = 1 / 4  # the network's errors have a label that it finds least likely so many times as often as evenly spread ones
FALL = 1 / 2  # share of errors among the surest, over how much larger it is among all
MODEL_ERROR = 0.02  # of the estimate, beside that of counting


def estimated_noise_rate(
    data: Tensors,
    network: Callable[[], nn.Module],
    rng: np.random.Generator,
    order_seed: int,
    amp: bool = False,
    progress: Progress = silent,
) -> Estimate:
    """Train on one half of the samples at a time, briefly, and ask of the other half: how often is the label another one?

    Counted are the samples of each predicted class of which the network is surest: the fewest predictions are wrong there. If
    wrong labels are as frequent among sure samples as among others, the share is that of the whole class.
    network: makes one in its first state, on the device of the data. rng: of the halves. amp: compute in bfloat16. progress: of
    the epochs. Trusted samples in the data may show that the networks have learned wrong labels (`at_least`).
    """
    n, given, trusted = len(data.labels), data.labels.cpu().numpy(), data.trusted
    half, p, misses = rng.permutation(n) % 2, np.zeros((n, data.classes)), 0.0
    for h in range(2):
        seen, other = (torch.from_numpy(np.flatnonzero(half == side)).to(data.labels.device) for side in (1 - h, h))
        epochs = max(EPOCHS, math.ceil(STEPS / max(1, len(seen) // BATCH_OF_HALF)))
        batch = min(BATCH_OF_HALF, len(seen))
        settings = Settings(
            method="erm", n_epoch=1 + epochs, epoch_decay_start=epochs // 2, batch_size=batch, average=AVERAGE, amp=amp
        )
        part = Tensors(data.x[seen], data.labels[seen], None, data.x[other[:1]], data.labels[other[:1]], data.classes)
        state = start(network(), nn.Identity(), settings, order_seed)
        for epoch in train(state, part, settings):
            progress(h * epochs + epoch.epoch, 2 * epochs)
        p[half == h] = predict(state.averaged, data.x[other], settings).double().cpu().numpy()
        if trusted:
            said = predict(state.averaged, trusted.x, settings).argmax(1)
            misses += float((said != trusted.labels).double().mean()) / 2
    rate = rate_among_the_surest(p, given)
    return at_least(rate, misses, float((p.argmax(axis=1) != given).mean()), len(trusted.labels)) if trusted else rate


def at_least(rate: Estimate, misses: float, differs: float, m: int) -> Estimate:
    """The rate, raised where networks agree with the given labels more often than with trusted ones: they learned wrong labels.

    By the triangle inequality P(given != true) >= P(predicted != true) - P(predicted != given) = misses - differs. It counts where
    it is above the estimate by more than its standard error. m: trusted rows, of whose labels the prediction differs in `misses`.
    """
    least, error = misses - differs, math.sqrt(misses * (1 - misses) / m)
    if least - error <= rate.estimate:
        return rate
    margin = MODEL_ERROR + QUANTILE * error
    return Estimate(least, max(0.0, least - margin), min(1.0, max(rate.high, least + margin)))


def rate_among_the_surest(p: np.ndarray, given: np.ndarray) -> Estimate:
    """The share of wrong labels, from what is given among the surest samples of each predicted class.

    p: (n, K), held out. given: (n,). `differs`, the share of other labels there, counts errors of the network too, so that it is
    the most that the rate can be. How much of it is errors is told in one of two ways:

    - Where most other labels are one and the same, wrong labels go from class to class. Errors of the network grow towards
      samples of which it is less sure: rate = differs - FALL (share of other labels among all samples - differs).
    - Else wrong labels are spread over all classes, and the classes that the network finds least likely get their part of them;
      of its errors only a part, LEAKED, is there: rate = differs - (differs - spread) / (1 - LEAKED), where spread is
      (K - 1) times the mean share of such a class.

    The interval reaches to `differs`, and half as far below the estimate.
    """
    K = p.shape[1]
    said = p.argmax(axis=1)
    rows = [np.flatnonzero(said == k) for k in np.unique(said)]
    surest = [own[np.argsort(-p[own, said[own[0]]], kind="stable")[: max(1, round(SUREST * len(own)))]] for own in rows]
    sizes, counted = [len(own) for own in rows], sum(map(len, surest))
    least = max(1, round((K - 1) * LEAST_LIKELY))
    shares = np.average([_shares(p[own], given[own], least) for own in surest], axis=0, weights=sizes)
    differs, one, unlikely = shares.tolist()
    if one > differs / 2:
        rate = differs - FALL * (float((said != given).mean()) - differs)
    else:
        rate = differs - (differs - unlikely * (K - 1) / least) / (1 - LEAKED)
    rate = min(max(rate, 0.0), differs)
    margin = MODEL_ERROR + QUANTILE * math.sqrt(differs * (1 - differs) / counted)
    return Estimate(rate, max(0.0, rate - (differs - rate) / 2 - margin), min(1.0, differs + margin))


def _shares(p: np.ndarray, given: np.ndarray, least: int) -> tuple[float, float, float]:
    """Of samples with one predicted class: shares of other labels, of the commonest other one, and of the `least` unlikeliest."""
    counts = np.bincount(given, minlength=p.shape[1]) / len(given)
    counts[p[0].argmax()] = 0
    unlikely = np.argpartition(p, least - 1, axis=1)[:, :least]
    return float(counts.sum()), float(counts.max()), float((unlikely == given[:, None]).any(axis=1).mean())
