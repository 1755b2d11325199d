"""The share of wrong labels, estimated from the labels alone: by networks that judge the half of the samples they have not seen."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from models.promise import QUANTILE
from models.settings import Settings
from models.training import Tensors, predict, start, train

SUREST = 0.3  # of the samples of each predicted class: where the network is surest, another label is a wrong one
EPOCHS, STEPS, BATCH_OF_HALF = 4, 600, 64  # epochs of a half, or so many as these steps take
AVERAGE = 0.0005  # step of the averaged weights
MODEL_ERROR = 0.02  # of the estimate, beside that of counting


class NoiseRate(NamedTuple):
    """The share of wrong labels, with an interval that is meant to cover 90%."""

    estimate: float
    low: float
    high: float


def estimated_noise_rate(data: Tensors, network: Callable[[], nn.Module], rng: np.random.Generator, order_seed: int) -> NoiseRate:
    """Train on one half of the samples at a time, briefly, and ask of the other half: how often is the label another one?

    Counted are the samples of each predicted class of which the network is surest: few predictions are wrong there, so that what
    differs is the label. If wrong labels are as frequent among sure samples as among others, the share is that of the whole class.
    network: makes one in its first state, on the device of the data. rng: of the halves.
    """
    n, given = len(data.labels), data.labels.cpu().numpy()
    half, p = rng.permutation(n) % 2, np.zeros((n, data.classes))
    for h in range(2):
        seen, other = (torch.from_numpy(np.flatnonzero(half == side)).to(data.labels.device) for side in (1 - h, h))
        epochs = max(EPOCHS, math.ceil(STEPS / max(1, len(seen) // BATCH_OF_HALF)))
        batch = min(BATCH_OF_HALF, len(seen))
        settings = Settings(method="erm", n_epoch=1 + epochs, epoch_decay_start=epochs // 2, batch_size=batch, average=AVERAGE)
        part = Tensors(data.x[seen], data.labels[seen], None, data.x[other[:1]], data.labels[other[:1]], data.classes)
        state = start(network(), nn.Identity(), settings, order_seed)
        for _ in train(state, part, settings):
            pass
        p[half == h] = predict(state.averaged, data.x[other], settings).double().cpu().numpy()
    return rate_among_the_surest(p, given)


def rate_among_the_surest(p: np.ndarray, given: np.ndarray) -> NoiseRate:
    """The share of each predicted class whose label is another one, among its surest samples, over all classes.

    p: (n, K), held out. given: (n,).
    """
    said, shares, sizes, counted = p.argmax(axis=1), [], [], 0
    for k in np.unique(said):
        rows = np.flatnonzero(said == k)
        surest = rows[np.argsort(-p[rows, k], kind="stable")[: max(1, round(SUREST * len(rows)))]]
        shares.append(float((given[surest] != k).mean()))
        sizes.append(len(rows))
        counted += len(surest)
    rate = float(np.average(shares, weights=sizes))
    margin = MODEL_ERROR + QUANTILE * math.sqrt(rate * (1 - rate) / counted)
    return NoiseRate(rate, max(0.0, rate - margin), min(1.0, rate + margin))
