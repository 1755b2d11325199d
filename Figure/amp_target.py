"""The target `amp`: whether training in bfloat16 costs accuracy, on a fifth of CIFAR-10."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.dataset import Dataset, load_pictures
from data.public import is_here
from Figure.deep_targets import ACCURACY_DIGITS, last10, of_run, train_run
from Figure.lines import Run
from Figure.tables import markdown, mean_sd, seeds
from Figure.target import Target
from models.settings import FAST, Settings, with_rate
from run.records import Record
from run.training_config import TrainingConfig

PRECISIONS = {"float32": False, "bfloat16 (`--amp`)": True}
AMP_EPOCHS, AMP_TRAINING, AMP_TEST, AMP_NOISE = 20, 10_000, 2_000, 0.2


class AmpOf(NamedTuple):
    """What determines a run."""

    amp: bool
    seed: int


def of_first(read: Dataset, path: Path) -> None:
    """The first pictures of the training and of the test part, as an .npz."""
    train, test = read.train, read.test
    np.savez(
        path,
        x_train=train.x[:AMP_TRAINING],
        y_train=train.labels[:AMP_TRAINING],
        x_test=test.x[:AMP_TEST],
        y_test=test.labels[:AMP_TEST],
    )


def train_in(config: AmpOf, data_dir: Path) -> Record:
    """RDIA-LS on a fifth of CIFAR-10, in float32 or in bfloat16."""
    settings = with_rate(Settings(gamma=0.05, **FAST), AMP_NOISE)
    settings = settings._replace(n_epoch=1 + AMP_EPOCHS, epoch_decay_start=AMP_EPOCHS // 2, amp=config.amp)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fifth.npz"
        of_first(load_pictures("cifar10", data_dir, config.seed), path)
        record = train_run(TrainingConfig(str(path), AMP_NOISE, "symmetric", config.seed, "cnn", settings), data_dir)
    return {**record, "dataset": "cifar10"}


def amp_runs(count: int) -> list[Run]:
    """Both precisions, seed by seed."""
    configs = [AmpOf(amp, seed) for seed in range(1, count + 1) for amp in PRECISIONS.values()]
    return [Run("amp", config._asdict(), partial(train_in, config), partial(is_here, "cifar10")) for config in configs]


def amp_table(lines: Sequence[Record]) -> str:
    """Accuracy and suspects by precision, and the seconds of a run over those of float32."""
    rows, unit = [], None
    for name, run in zip(PRECISIONS, amp_runs(1), strict=True):
        mine = of_run(lines, run)
        if mine:
            seconds = float(np.median([line["seconds"] for line in mine]))
            unit = unit or seconds
            found = [mean_sd([line[what] for line in mine], 3) for what in ("precision", "recall")]
            best = mean_sd([line["best"] for line in mine], ACCURACY_DIGITS)
            rows.append([name, last10(mine), best, *found, f"{seconds / unit:.2f}", f"{seconds:.0f}"])
    columns = ["computed in", "last ten", "best epoch", "precision", "recall", "time, ratio", "seconds"]
    head = (
        f"RDIA-LS on the first {AMP_TRAINING:,} pictures of CIFAR-10, {AMP_NOISE:.0%} symmetric noise, CNN, fast recipe in"
        f" {AMP_EPOCHS} epochs: test accuracy % on {AMP_TEST:,} pictures, precision and recall of the suspects, mean ± sd of"
        f" {seeds(lines)}. On one core of a CPU that has bfloat16."
    )
    return f"{head}\n\n{markdown(columns, rows)}"


TARGETS = {
    "amp": Target(
        "RDIA-LS in bfloat16 beside float32, on a fifth of CIFAR-10",
        2,
        amp_runs,
        lambda lines, output, _: output.table("amp", amp_table(lines)),
    )
}
