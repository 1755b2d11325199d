"""The configuration of a training run, and what is known of its results without torch."""

from pathlib import Path
from typing import NamedTuple

from data.noise import NoiseType
from models.settings import Network, Settings
from run.records import Record

CHECKPOINT = "checkpoint.pt"  # the file in --result_dir from which a run is resumed
LOST_BELOW = 5.0  # per cent: a class with a lower test recall counts as lost


class TrainingConfig(NamedTuple):
    """Everything a run's numbers depend on, except the machine."""

    dataset: str
    noise_rate: float | None  # None: estimated from the labels
    noise_type: NoiseType
    seed: int
    network: Network
    settings: Settings
    data_dir: Path = Path()
    size: int | None = None  # of a side of each picture of a user's folder
    labels: Path | None = None  # a file of decisions that a person made

    def flat(self) -> Record:
        """The fields that identify the run in one dictionary; the others show in its data."""
        names = ("dataset", "noise_rate", "noise_type", "seed", "network")
        return {**{name: getattr(self, name) for name in names}, **self.settings._asdict()}
