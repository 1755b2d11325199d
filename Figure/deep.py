"""One run of RDIA-LS or a method beside it: from a configuration to its record."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from data.arrays import digest
from data.errors import InputError
from data.noise import NoiseType, redraw_labels
from data.pictures import Pictures, load_pictures
from data.streams import Stream, generator, stream_seed
from Figure.checkpoint import NAME, Checkpoint, load_checkpoint, save_checkpoint
from Figure.results import Record, append_line, remove, write_csv, write_lines
from Figure.suspects import Suspects, suspect_rows, suspects
from models.methods import companion
from models.metrics import share
from models.networks import DOWNSAMPLED, Network, build
from models.ranks import ALONE, Ranks, from_first
from models.settings import Settings
from models.shared_norm import share_norms
from models.together import forward_together
from models.training import Epoch, State, Tensors, forward, predict, restore, snapshot, start, train

LOST = 5.0  # per cent of a class's test samples: below it the class counts as lost
PATIENCE = 5  # epochs after the warm-up before a lost class is named
SUSPECTS, CURVE = "suspects.csv", "curve.png"  # what a run leaves when it has ended, besides its line
LAST = 10  # epochs whose mean test accuracy is reported
FLOAT_PIXELS = 2**27  # 0.5 GB of float32: larger sets stay bytes on the device


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


class Prepared(NamedTuple):
    """A run before its first epoch."""

    data: Tensors
    state: State
    digest: str  # of the pictures as they were loaded
    classes: tuple[str, ...]  # these, and what follows, as in `data.pictures.Pictures`
    rows: np.ndarray
    files: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(config: DeepConfig, data_dir: Path, device: torch.device, ranks: Ranks = ALONE) -> Prepared:
    """Load, corrupt, put on the device, initialise. Rank 0 alone reads or downloads, for all."""
    pictures = from_first(ranks, lambda: load_pictures(config.dataset, data_dir, config.seed))
    shape, n, batch = pictures.x.shape[1:], len(pictures.labels), config.settings.batch_size
    if n < batch or not len(pictures.labels_test):
        raise InputError(f"--dataset {config.dataset}: has {n} training samples, less than a batch of {batch}; lower --batch_size")
    if config.network not in {"auto", "mlp"} and min(shape[1:]) < DOWNSAMPLED:
        raise InputError(
            f"--network {config.network}: takes pictures of 8 by 8 and more, these are {shape[1]} by {shape[2]}; use mlp"
        )
    data = on_device(pictures, config, device)

    def network(stream: Stream) -> nn.Module:
        built = build(config.network, shape, data.classes, stream_seed(config.seed, stream)).to(device)
        return share_norms(built, device) if ranks.world > 1 else built

    beside = companion(config.settings.method, data.classes, lambda: network("peer")).to(device)
    state = start(network("initialisation"), beside, config.settings, stream_seed(config.seed, "order"))
    read = digest(pictures[:4], repr(pictures.classes))
    return Prepared(data, state, read, pictures.classes, pictures.rows, pictures.files, pictures.notes)


def on_device(pictures: Pictures, config: DeepConfig, device: torch.device) -> Tensors:
    """The pictures with noise in their training labels, as tensors."""
    classes = len(pictures.classes)
    given = redraw_labels(pictures.labels, classes, config.noise_rate, config.noise_type, generator(config.seed, "noise"))
    x, x_test = (torch.from_numpy(np.array(part)).to(device) for part in (pictures.x, pictures.x_test))
    if x.dtype == torch.uint8 and x.numel() <= FLOAT_PIXELS:
        x, x_test = x.float().div_(255), x_test.float().div_(255)
    labels, correct, labels_test = (
        torch.from_numpy(part).to(device) for part in (given.labels, ~given.flipped, pictures.labels_test)
    )
    known = config.noise_type != "none"
    return Tensors(x, labels, correct if known else None, x_test, labels_test, classes)


def run_deep(
    config: DeepConfig,
    data_dir: Path,
    device: torch.device,
    folder: Path | None = None,
    resume: bool = False,
    each: Callable[[Epoch, Prepared], None] = lambda *_: None,
    ranks: Ranks = ALONE,
) -> Record:
    """Train to the end, and give the record; `each` is called with every epoch that is trained here.

    folder: gets a line an epoch (`epochs.jsonl`) and a checkpoint, from which `resume` goes on: to the very metrics of a run
    without interruption, on the CPU to the bit; in the end the list of suspects (`suspects.csv`). Of several ranks rank 0 alone
    reads and writes there. Raises `InputError` for a checkpoint that is damaged, of another configuration or of other data.
    """
    ready = prepare(config, data_dir, device, ranks)
    data, state = ready.data, ready.state
    lines = resumed(folder, config, ready.digest, state, ranks) if folder and resume else []
    if ranks.rank:
        folder = None
    if folder:
        write_lines(folder / "epochs.jsonl", lines)
        if not lines:
            for name in (SUSPECTS, CURVE):  # of a run before
                remove(folder / name)
    of_batch = forward_together(ranks, state, config.settings) if ranks.world > 1 else forward
    begin = time.perf_counter()
    for epoch in train(state, data, config.settings, len(lines), of_batch):
        if epoch.train_loss is not None and not math.isfinite(epoch.train_loss):
            lr = config.settings.lr
            raise InputError(f"--lr {lr:g}: the training loss is {epoch.train_loss} in epoch {epoch.epoch}; give a smaller --lr")
        lines.append({**epoch._asdict(), "seconds": time.perf_counter() - begin})
        if folder:
            append_line(folder / "epochs.jsonl", lines[-1])
            save_checkpoint(folder, Checkpoint(config.flat(), ready.digest, lines, snapshot(state)))
        each(epoch, ready)
        begin = time.perf_counter()
    given = data.labels.cpu().numpy()
    found = suspects(predict(state.averaged, data.x, config.settings).double().cpu().numpy(), given)
    if folder:
        write_csv(folder / SUSPECTS, *suspect_rows(found, given, ready.classes, ready.rows, ready.files))
    return {**deep_record(config, lines), "classes": list(ready.classes), **judged(found, data)}


def resumed(folder: Path, config: DeepConfig, data: str, state: State, ranks: Ranks) -> list[Record]:
    """The lines of the epochs in `folder`'s checkpoint, to which `state` is brought; none if there is no checkpoint."""
    kept = from_first(ranks, lambda: load_checkpoint(folder, config.flat(), data))
    if kept is None:
        return []
    try:
        restore(state, kept.state)
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"{folder / NAME}: is damaged, or no checkpoint of this version; remove it to start anew") from error
    return kept.lines


def judged(found: Suspects, data: Tensors) -> Record:
    """How many suspects there are, and, where it is known, the share of wrong labels among them and of the wrong that they are."""
    if data.correct is None:
        return {"suspects": len(found.places), "precision": None, "recall": None}
    wrong = ~data.correct.cpu().numpy()
    listed = np.zeros(len(wrong), dtype=bool)
    listed[found.places] = True
    return {"suspects": len(found.places), "precision": share(wrong, listed), "recall": share(listed, wrong)}


def deep_record(config: DeepConfig, lines: list[Record]) -> Record:
    """The object that `RDIA-LS.py --json` prints, but for its classes and suspects. lines: one per epoch, from epoch 0."""
    accuracy, settings = [line["test_accuracy"] for line in lines], config.settings
    return {
        **{name: getattr(config, name) for name in ("dataset", "noise_rate", "noise_type", "seed")},
        **{name: getattr(settings, name) for name in ("method", "gamma", "objective")},
        "epochs": settings.n_epoch,
        "test_accuracy": accuracy,
        "last10": float(np.mean(accuracy[-LAST:])),
        "best": max(accuracy),
        **{name: lines[-1][name] for name in ("test_recall", "clean_share_kept", "wrong_share_relabeled")},
        "seconds": sum(line["seconds"] for line in lines),
    }


def choose_device(gpu: int | None, ranks: Ranks = ALONE) -> torch.device:
    """GPU number `gpu`; without a number the first GPU, or the CPU if there is none. Raises `InputError` if it is not there.

    Of several ranks each takes the GPU of its place on the machine.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if ranks.world > 1:
        gpu = local_gpu(gpu, count, ranks)
    if gpu is not None and gpu >= count:
        there = ", ".join(f"{number} ({torch.cuda.get_device_name(number)})" for number in range(count)) or "none"
        raise InputError(f"--gpu {gpu}: is not there, the GPUs here are: {there}; leave --gpu out to run on what there is")
    if not count:
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")  # TF32
    return torch.device("cuda", gpu or 0)


def local_gpu(gpu: int | None, count: int, ranks: Ranks) -> int | None:
    """The number of this rank's GPU among the machine's `count`; None where there are none, and ranks run on CPUs."""
    if gpu is not None:
        raise InputError(f"--gpu {gpu}: is for one process, here torchrun starts {ranks.world}, each with a GPU; leave --gpu out")
    if not count:
        return None
    if ranks.local_world > count:
        raise InputError(
            f"torchrun --nproc-per-node {ranks.local_world}: there are {count} GPUs here, one for each process; start {count}"
            ' or fewer, or hide the GPUs by CUDA_VISIBLE_DEVICES="" to run on CPUs'
        )
    torch.cuda.set_device(ranks.local)
    return ranks.local


def lost_classes(recalls: list[list[float | None]]) -> list[int]:
    """Classes whose test recall is under 5% in each of the given epochs. recalls: a list per epoch, in per cent."""
    columns = zip(*recalls, strict=True)
    return [place for place, column in enumerate(columns) if all(value is not None and value < LOST for value in column)]
