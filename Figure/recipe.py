"""How `RDIA-LS.py --recipe fast` was chosen: on noisy training labels held out, never on the test set.

A tenth of the noisy training set is held out. From the accuracy a on its noisy labels the accuracy on true ones is estimated by
(a - q) / (1 - rho - q), with q = rho / (K - 1) the rate at which symmetric noise hits a given wrong class. The candidate with the
highest mean over the noise rates is the recipe.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data.dataset import load_pictures
from data.noise import redraw_labels
from data.streams import generator, stream_seed
from Figure.lines import Run
from Figure.tables import markdown, mean_sd, seeds
from models.settings import Augment, Settings, with_rate
from run.records import Record

if TYPE_CHECKING:  # torch is imported where a run is made: the table of what is kept does without
    from models.training import Tensors

RATES = (0.2, 0.5, 0.8)
SEED = 101  # the first seed; the seeds of the results start at 1
COUNTED_EPOCHS = 10  # the last epochs, whose mean accuracy ranks the candidates


class Candidate(NamedTuple):
    """What determines the numbers of a run, apart from the machine."""

    seed: int
    noise_rate: float
    n_epoch: int
    constant: float  # share of the epochs before the learning rate falls
    lr: float
    average: float
    augment: Augment


# The last five fields: at most a quarter of the released 200 epochs, or with crops.
CANDIDATES: tuple[tuple[int, float, float, float, Augment], ...] = (
    (40, 0.4, 0.001, 0.0005, "none"),
    (50, 0.4, 0.001, 0.0005, "none"),
    (40, 0.4, 0.002, 0.0005, "none"),
    (50, 0.4, 0.002, 0.0005, "none"),
    (40, 0.4, 0.004, 0.0005, "none"),
    (50, 0.2, 0.002, 0.0005, "none"),
    (40, 0.4, 0.002, 0.0, "none"),
    (40, 0.4, 0.002, 0.0005, "crop"),
    (80, 0.4, 0.002, 0.0005, "crop"),
)


def held_out(seed: int, rate: float, data_dir: Path) -> "Tensors":
    """MNIST's training set under symmetric noise: nine tenths to train on, one tenth as test set."""
    import torch

    from models.training import Tensors

    pictures = load_pictures("mnist", data_dir, seed)
    given = redraw_labels(pictures.train.labels, 10, rate, "symmetric", generator(seed, "noise"))
    order = generator(seed, "split").permutation(len(given.labels))
    fit, held = np.split(order, [len(order) * 9 // 10])
    x = torch.from_numpy(np.array(pictures.train.x)).float().div_(255)
    labels, correct = torch.from_numpy(given.labels), torch.from_numpy(~given.flipped)
    return Tensors(x[fit], labels[fit], correct[fit], x[held], labels[held], 10)


def estimate(accuracy: float, rate: float, classes: int = 10) -> float:
    """Accuracy on true labels, per cent, from that on labels under symmetric noise."""
    strayed = rate / (classes - 1)
    return 100 * (accuracy / 100 - strayed) / (1 - rate - strayed)


def train_candidate(config: Candidate, data_dir: Path) -> Record:
    """Train one candidate, with the balanced warm-up, and judge it on the held-out rows."""
    import torch

    from models.architectures import build
    from models.training import start, train

    torch.set_num_threads(1)
    seed, noise_rate = config.seed, config.noise_rate
    settings = Settings(
        gamma=0.2,
        weight_decay=1e-5,
        warmup="balanced",
        n_epoch=config.n_epoch,
        epoch_decay_start=round(config.n_epoch * config.constant),
        lr=config.lr,
        average=config.average,
        augment=config.augment,
    )
    settings = with_rate(settings, noise_rate)
    network = build("mlp", (1, 28, 28), 10, stream_seed(seed, "initialisation"))
    state = start(network, torch.nn.Identity(), settings, stream_seed(seed, "order"), stream_seed(seed, "augment"))
    data = held_out(seed, noise_rate, data_dir)
    last = [epoch.test_accuracy for epoch in train(state, data, settings)][-COUNTED_EPOCHS:]
    estimated = float(np.mean([estimate(accuracy, noise_rate) for accuracy in last]))
    return {"held_out": float(np.mean(last)), "estimated": estimated}


def recipe_runs(count: int) -> list[Run]:
    """Every candidate at every noise rate."""
    grid = itertools.product(range(SEED, SEED + count), RATES, CANDIDATES)
    configs = [Candidate(seed, rate, *candidate) for seed, rate, candidate in grid]
    return [Run("recipe", config._asdict(), partial(train_candidate, config)) for config in configs]


def recipe_table(lines: Sequence[Record]) -> str:
    """Markdown: estimated accuracy by candidate and noise rate, best mean first."""
    rows = []
    for candidate in CANDIDATES:
        mine = [line for line in lines if tuple(line["config"][name] for name in Candidate._fields[2:]) == candidate]
        found = [[line["estimated"] for line in mine if line["config"]["noise_rate"] == rate] for rate in RATES]
        if all(found):
            means = [float(np.mean(values)) for values in found]
            rows.append((float(np.mean(means)), [*map(str, candidate), *(mean_sd(values, 2) for values in found)]))
    rows.sort(key=lambda row: -row[0])
    cells = [[*row, f"{mean:.2f}"] for mean, row in rows]
    head = f"Estimated accuracy % on true labels, from held-out noisy ones, mean ± sd of {seeds(lines)}, MNIST, MLP, gamma 0.2."
    columns = ["epochs", "constant", "lr", "average", "augment", *(f"noise {rate:g}" for rate in RATES), "mean"]
    return f"{head}\n\n{markdown(columns, cells)}"
