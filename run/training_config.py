"""The configuration of a training run."""

from pathlib import Path
from typing import NamedTuple

from data.noise import NoiseType
from models.architectures import Network
from models.settings import Settings
from run.records import Record


class TrainingConfig(NamedTuple):
    """Everything a run's numbers depend on, except the machine."""

    dataset: str
    noise_rate: float
    noise_type: NoiseType
    seed: int
    network: Network
    settings: Settings
    data_dir: Path = Path()

    def flat(self) -> Record:
        """All fields but `data_dir` in one dictionary, which identifies the run."""
        own = {name: getattr(self, name) for name in self._fields if name not in {"settings", "data_dir"}}
        return {**own, **self.settings._asdict()}
