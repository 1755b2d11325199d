"""One run of RDIA-LS or a method beside it: from a configuration to its record."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from data.noise import NoiseType, redraw_labels
from data.pictures import Pictures, load_pictures
from data.streams import generator, stream_seed
from Figure.results import Record
from models.networks import Network, build
from models.training import Epoch, Settings, State, Tensors, start, train

LAST = 10  # epochs whose mean test accuracy is reported


class DeepConfig(NamedTuple):
    """Everything a run's numbers depend on, but the machine."""

    dataset: str
    noise_rate: float
    noise_type: NoiseType
    seed: int
    network: Network
    settings: Settings

    def flat(self) -> Record:
        """All fields in one dictionary: what a run is kept and resumed by."""
        own = {name: getattr(self, name) for name in self._fields if name != "settings"}
        return {**own, **self.settings._asdict()}


def prepare(config: DeepConfig, data_dir: Path, device: torch.device) -> tuple[Tensors, State]:
    """Load, corrupt, put on the device, initialise."""
    pictures = load_pictures(config.dataset, data_dir, config.seed)
    data = on_device(pictures, config, device)
    shape = (int(data.x.shape[1]), int(data.x.shape[2]), int(data.x.shape[3]))
    network = build(config.network, shape, data.classes, stream_seed(config.seed, "initialisation")).to(device)
    return data, start(network, config.settings, stream_seed(config.seed, "order"))


def on_device(pictures: Pictures, config: DeepConfig, device: torch.device) -> Tensors:
    """The pictures with noise in their training labels, as tensors. Bytes become float32 where that is small (MNIST's size)."""
    classes = len(pictures.classes)
    given = redraw_labels(pictures.labels, classes, config.noise_rate, config.noise_type, generator(config.seed, "noise"))
    x, x_test = (torch.from_numpy(np.array(part)).to(device) for part in (pictures.x, pictures.x_test))
    if x.dtype == torch.uint8 and x.numel() <= FLOAT_PIXELS:
        x, x_test = x.float().div_(255), x_test.float().div_(255)
    labels, correct, labels_test = (
        torch.from_numpy(part).to(device) for part in (given.labels, ~given.flipped, pictures.labels_test)
    )
    return Tensors(x, labels, correct, x_test, labels_test, classes)


FLOAT_PIXELS = 2**27  # 0.5 GB of float32


def run_deep(config: DeepConfig, data_dir: Path, device: torch.device, each: Callable[[Epoch], None] = lambda _: None) -> Record:
    """Train from the start to the end; `each` is called with every epoch."""
    begin = time.perf_counter()
    data, state = prepare(config, data_dir, device)
    history = []
    for epoch in train(state, data, config.settings):
        history.append(epoch)
        each(epoch)
    return deep_record(config, history, time.perf_counter() - begin)


def deep_record(config: DeepConfig, history: list[Epoch], seconds: float) -> Record:
    """The object that `RDIA-LS.py --json` prints."""
    accuracy = [epoch.test_accuracy for epoch in history]
    final, settings = history[-1], config.settings
    return {
        "dataset": config.dataset,
        "method": settings.method,
        "noise_rate": config.noise_rate,
        "noise_type": config.noise_type,
        "gamma": settings.gamma,
        "objective": settings.objective,
        "seed": config.seed,
        "epochs": settings.n_epoch,
        "test_accuracy": accuracy,
        "last10": float(np.mean(accuracy[-LAST:])),
        "best": max(accuracy),
        "test_recall": final.test_recall,
        "clean_share_kept": final.clean_share_kept,
        "wrong_share_relabeled": final.wrong_share_relabeled,
        "seconds": seconds,
    }
