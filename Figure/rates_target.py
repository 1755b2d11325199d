"""The target `rates`: RDIA-LS on labels whose noise rate it estimates, and on the same labels when it is told the rate."""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data.dataset import load_pictures
from data.noise import NoiseType, redraw_labels
from data.streams import generator
from Figure.bench_data import REAL_SETS, possible, real_path, real_set
from Figure.deep_targets import DEEP_NOISES, cifar10_possible, of_run
from Figure.lines import Run, always
from Figure.tables import markdown, mean_sd, seeds
from Figure.target import Target
from models.settings import FAST, Settings, with_rate
from run.records import Record
from run.training_config import TrainingConfig

RATE_PICTURES = ("mnist", "digits", "cifar10")
PICTURE_NOISES: tuple[tuple[NoiseType, float], ...] = (("symmetric", 0.0), *DEEP_NOISES)


class RateOf(NamedTuple):
    """What determines a run."""

    dataset: str
    noise_rate: float
    noise_type: NoiseType  # none: the set's own wrong labels
    seed: int


class NoisySet(NamedTuple):
    """A set as a user has it, and what is known of it here."""

    x: np.ndarray  # (n, channels, height, width) or (n, d)
    given: np.ndarray  # (n,)
    true: np.ndarray  # (n,)
    x_test: np.ndarray
    test: np.ndarray  # true labels


def noisy_set(config: RateOf, data_dir: Path) -> NoisySet:
    """Pictures with noise put into their labels, or the features of a table with real noise."""
    if config.dataset in REAL_SETS:
        rows = real_set(real_path(config.dataset, data_dir))
        x, x_test = (sp.csr_array(part).toarray().astype(np.float32) for part in (rows.x, rows.x_pool))
        return NoisySet(x, rows.given, rows.true, x_test, rows.pool)
    read = load_pictures(config.dataset, data_dir, config.seed)
    true, rng = read.train.labels, generator(config.seed, "noise")
    given = redraw_labels(true, len(read.classes), config.noise_rate, config.noise_type, rng).labels
    return NoisySet(read.train.x, given, true, read.test.x, read.test.labels)


def save_set(rows: NoisySet, path: Path) -> None:
    """The set as a user's .npz."""
    np.savez(path, x_train=rows.x, y_train=rows.given, x_test=rows.x_test, y_test=rows.test)


def estimate_rate(config: RateOf, data_dir: Path) -> Record:
    """The estimate of `RDIA-LS.py --recipe fast` on an .npz of this set, and the accuracy with it and with the true share."""
    import torch

    from models.devices.device import choose_device
    from run.rdia_ls import run_training
    from run.suspects import judged, suspects

    torch.set_num_threads(1)
    device, rows = choose_device(None), noisy_set(config, data_dir)
    wrong = rows.given != rows.true
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.npz"
        save_set(rows, path)
        share = float(wrong.mean())
        settings = with_rate(Settings(**FAST), 0.0)
        auto = run_training(TrainingConfig(str(path), None, "none", config.seed, "auto", settings), device)
        settings = with_rate(settings, share)
        told = run_training(TrainingConfig(str(path), share, "none", config.seed, "auto", settings), device)
    found = judged(suspects(auto.p, rows.given), ~wrong)
    accuracies = {"accuracy": auto.record["last10"], "accuracy_told": told.record["last10"]}
    seconds = auto.record["seconds"] + told.record["seconds"]
    return {
        **auto.record["estimated_noise_rate"], "true": share, **accuracies, **found, "seconds": seconds, "device": str(device),
    }  # fmt: skip


def rate_runs(count: int) -> list[Run]:
    """The pictures under all kinds of noise, and the tables with real noise."""
    noisy = [RateOf(name, rate, kind, 0) for name in RATE_PICTURES for kind, rate in PICTURE_NOISES]
    real = [RateOf(name, 0.0, "none", 0) for name in REAL_SETS]
    configs = [config._replace(seed=seed) for seed in range(1, count + 1) for config in (*noisy, *real)]
    return [Run("rates", config._asdict(), partial(estimate_rate, config), possible_of(config.dataset)) for config in configs]


def possible_of(dataset: str) -> Callable[[Path], bool]:
    """Where the set can be used: CIFAR-10 only on a GPU."""
    if dataset in REAL_SETS:
        return partial(possible, dataset)
    return cifar10_possible if dataset == "cifar10" else always


def described_noise(rate: float, kind: NoiseType) -> str:
    """The noise of a set in a table; of the kind none: the set's own."""
    if kind == "none":
        return "real"
    return f"{rate:.0%} {kind}" if rate else "none"


def rates_table(lines: Sequence[Record]) -> str:
    """The estimated rate and what it costs, by data set and noise."""
    rows = []
    for run in rate_runs(1):
        mine, config = of_run(lines, run), RateOf(**run.config)
        if mine:
            error = max(abs(line["estimate"] - line["true"]) for line in mine)
            within = sum(line["low"] <= line["true"] <= line["high"] for line in mine)
            shares = [mean_sd([line[name] for line in mine], 3) for name in ("true", "estimate")]
            accuracies = [mean_sd([line[name] for line in mine], 2) for name in ("accuracy", "accuracy_told")]
            noise = described_noise(config.noise_rate, config.noise_type)
            rows.append([config.dataset, noise, *shares, f"{error:.3f}", f"{within} of {len(mine)}", *accuracies])
    columns = ["data set", "noise", "wrong labels", "estimate", "largest error", "in the interval", "accuracy %", "told the rate"]
    head = (
        f"Share of wrong labels, and test accuracy of the fast recipe (mean of the last ten epochs), mean ± sd of {seeds(lines)}."
    )
    return f"{head}\n\n{markdown(columns, rows)}"


TARGETS = {
    "rates": Target(
        "the noise rate that RDIA-LS.py --noise_rate auto estimates, and the accuracy with it and with the true one",
        3,
        rate_runs,
        lambda lines, output, _: output.table("rates", rates_table(lines)),
    ),
}
