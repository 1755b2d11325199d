"""The target `own`: the recipes of RDIA-LS on small sets, as users have them; how the recipe of a user's own data was chosen."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data.noise import NoiseType
from Figure.deep_targets import of_run
from Figure.lines import Run
from Figure.rates_target import PICTURE_NOISES, RateOf, described_noise, noisy_set, possible_of, save_set
from Figure.tables import markdown, mean_sd, seeds
from Figure.target import Target
from models.settings import FAST, OWN, Settings, with_rate
from run.records import Record
from run.training_config import TrainingConfig

FIRST_ROWS = 5_000  # the first of a set's training rows
TRIED_RECIPES: dict[str, dict[str, Any]] = {
    "released": {"warmup": "balanced"},
    "fast": FAST,
    "fast, 80 epochs": {**OWN, "gamma": 0.2},
    "own": OWN,
    "own, gamma 0.8": {**OWN, "gamma": 0.8},
}


def train_variants(config: RateOf, data_dir: Path) -> Record:
    """Accuracy and seconds of each recipe on the first rows of the set, told the share of wrong labels."""
    import torch

    from models.devices.device import choose_device
    from run.rdia_ls import run_training

    torch.set_num_threads(1)
    rows = noisy_set(config, data_dir)
    rows = rows._replace(x=rows.x[:FIRST_ROWS], given=rows.given[:FIRST_ROWS], true=rows.true[:FIRST_ROWS])
    wrong = float((rows.given != rows.true).mean())
    found: Record = {"wrong": wrong}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.npz"
        save_set(rows, path)
        for name, changes in TRIED_RECIPES.items():
            asked = TrainingConfig(str(path), wrong, "none", config.seed, "auto", with_rate(Settings(**changes), wrong))
            record = run_training(asked, choose_device(None)).record
            found |= {f"accuracy, {name}": record["last10"], f"seconds, {name}": record["seconds"]}
    return found


def own_runs(count: int) -> list[Run]:
    """The digits and MNIST under all kinds of noise, and music with its own."""
    noisy = [(name, rate, kind) for name in ("digits", "mnist") for kind, rate in PICTURE_NOISES]
    sets: list[tuple[str, float, NoiseType]] = [*noisy, ("music", 0.0, "none")]
    configs = [RateOf(*each, seed) for seed in range(1, count + 1) for each in sets]
    return [Run("own", config._asdict(), partial(train_variants, config), possible_of(config.dataset)) for config in configs]


def own_table(lines: Sequence[Record]) -> str:
    """Accuracy of each recipe by data set and noise, their means, and seconds over those of the released one."""
    rows, means = [], []
    for run in own_runs(1):
        mine, config = of_run(lines, run), RateOf(**run.config)
        if mine:
            found = {name: [line[f"accuracy, {name}"] for line in mine] for name in TRIED_RECIPES}
            means.append([np.mean(values) for values in found.values()])
            noise = described_noise(config.noise_rate, config.noise_type)
            rows.append([config.dataset, noise, *(mean_sd(values, 1) for values in found.values())])
    if rows:
        rows.append(["mean", "", *(f"{mean:.1f}" for mean in np.mean(means, axis=0))])
        seconds = [np.mean([line[f"seconds, {name}"] / line["seconds, released"] for line in lines]) for name in TRIED_RECIPES]
        rows.append(["time", "", *(f"{share:.2f}" for share in seconds)])
    head = (
        f"RDIA-LS on the first {FIRST_ROWS:,} rows at most, told the share of wrong labels: test accuracy % (mean of the last ten"
        f" epochs), mean ± sd of {seeds(lines)}, and time over that of the released recipe."
    )
    return f"{head}\n\n{markdown(['data set', 'noise', *TRIED_RECIPES], rows)}"


TARGETS = {
    "own": Target(
        "RDIA-LS on small sets by its recipes: how that of a user's own data was chosen",
        3,
        own_runs,
        lambda lines, output, _: output.table("own", own_table(lines)),
    )
}
