"""The target `trusted`: RDIA-LS with rows that it trusts, beside the same without them."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.noise import NoiseType
from data.streams import generator
from Figure.bench_data import REAL_SETS
from Figure.deep_targets import of_run
from Figure.lines import Run
from Figure.rates_target import PICTURE_NOISES, NoisySet, RateOf, described_noise, noisy_set, possible_of
from Figure.tables import markdown, mean_sd, seeds
from Figure.target import Target
from models.settings import OWN, Settings, with_rate
from run.records import Record
from run.training_config import TrainingConfig

TRUSTED_COUNTS = (30, 100)


class TrustedOf(NamedTuple):
    """What determines a run."""

    dataset: str
    noise_rate: float
    noise_type: NoiseType  # none: the set's own wrong labels
    trusted: int
    seed: int


def trained_with_trusted(config: TrustedOf, data_dir: Path) -> Record:
    """`RDIA-LS.py` on an .npz of the set, with some of the test rows as trusted ones, and without."""
    import torch

    from models.devices.device import choose_device
    from run.rdia_ls import run_training

    torch.set_num_threads(1)
    rows = noisy_set(RateOf(config.dataset, config.noise_rate, config.noise_type, config.seed), data_dir)
    settings = with_rate(Settings(**OWN), 0.0)
    found = {"true": float((rows.given != rows.true).mean())}
    with tempfile.TemporaryDirectory() as folder:
        for name, trusted in (("without", False), ("with", True)):
            path = Path(folder) / f"{name}.npz"
            write_set(rows, config, path, trusted)
            asked = TrainingConfig(str(path), None, "none", config.seed, "auto", settings)
            record = run_training(asked, choose_device(None)).record
            found |= {f"accuracy_{name}": record["last10"], f"estimate_{name}": record["noise_rate"]}
    return found


def write_set(rows: NoisySet, config: TrustedOf, path: Path, trusted: bool) -> None:
    """The set as an .npz, without the rows that are `trusted`, or with them as its validation part."""
    order = generator(config.seed, "split").permutation(len(rows.test))
    chosen, test = order[: config.trusted], order[config.trusted :]
    parts: dict[str, Any] = {"x_train": rows.x, "y_train": rows.given, "x_test": rows.x_test[test], "y_test": rows.test[test]}
    if trusted:
        parts |= {"x_val": rows.x_test[chosen], "y_val": rows.test[chosen]}
    np.savez(path, **parts)


def trusted_runs(count: int) -> list[Run]:
    """The digits under all kinds of noise, and the tables with real noise."""
    sets = [*(("digits", rate, kind) for kind, rate in PICTURE_NOISES), *((name, 0.0, "none") for name in REAL_SETS)]
    configs = [TrustedOf(*noisy, m, seed) for seed in range(1, count + 1) for noisy in sets for m in TRUSTED_COUNTS]
    return [
        Run("trusted", config._asdict(), partial(trained_with_trusted, config), possible_of(config.dataset)) for config in configs
    ]


def trusted_table(lines: Sequence[Record]) -> str:
    """Accuracy without and with trusted rows, and the noise rates that are estimated and used, by data set and noise."""
    rows = []
    for run in trusted_runs(1):
        mine, config = of_run(lines, run), TrustedOf(**run.config)
        if mine:
            noise = described_noise(config.noise_rate, config.noise_type)
            accuracies = [mean_sd([line[f"accuracy_{name}"] for line in mine], 2) for name in ("without", "with")]
            shares = [mean_sd([line[name] for line in mine], 2) for name in ("true", "estimate_without", "estimate_with")]
            rows.append([config.dataset, noise, str(config.trusted), *accuracies, *shares])
    columns = ["data set", "noise", "trusted rows", "accuracy % without", "with", "wrong labels", "estimate without", "with"]
    head = (
        "RDIA-LS on a path: test accuracy % (mean of the last ten epochs) without trusted rows and with"
        f" them, the share of wrong labels, and its estimate without and with them, mean ± sd of {seeds(lines)}."
    )
    return f"{head}\n\n{markdown(columns, rows)}"


TARGETS = {
    "trusted": Target(
        "RDIA-LS with trusted rows, beside RDIA-LS without them",
        3,
        trusted_runs,
        lambda lines, output, _: output.table("trusted", trusted_table(lines)),
    )
}
