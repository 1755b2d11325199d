"""What RDIA-LS.py does before the first epoch: load data, inject noise, build networks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import nn

from data.arrays import digest
from data.dataset import Dataset, load_pictures
from data.errors import InputError
from data.noise import NoisyLabels, redraw_labels
from data.streams import Stream, generator, stream_seed
from models.architectures import DOWNSAMPLED, build, placed
from models.by_trusted import Trusted
from models.devices.ranks import ALONE, Ranks, from_first
from models.devices.shared_norm import share_norms
from models.methods import companion
from models.noise_rate import NoiseRate, estimated_noise_rate
from models.settings import Settings, with_rate
from models.training import State, Tensors, as_pixels, start
from run.choosing import Choosing, choose_settings
from run.decisions import count_decisions, read_decisions
from run.identity import run_key
from run.records import Record
from run.training_config import TrainingConfig

ESTIMATED = "about {0:.0%} of the labels are wrong, between {1:.0%} and {2:.0%}, estimated from the labels; --noise_rate sets it"
CHOSEN_BY_TRUSTED = (
    "{trusted_rows:,} validation rows chose gamma {gamma:g} and the noise rate {noise_rate:.2f} among {candidates} candidates;"
    " --gamma and --noise_rate set them"
)
TRAINED_ON = "the {0:,} validation rows are trained on as well, with their labels as given"
UNUSED = "the {0:,} validation rows are not used: only --method rdia-ls uses them"
Counting: TypeAlias = Callable[[str, int, int], None]  # called with what is counted, how many are done, and of how many
FLOAT_PIXELS = 2**27  # 0.5 GB of float32: larger sets stay bytes on the device


class Settled(NamedTuple):
    """The settings to train with, and where they are from."""

    settings: Settings
    rate: NoiseRate | None  # estimated, if the configuration has none
    chosen: Record | None  # by the trusted rows, if they chose
    notes: tuple[str, ...]


class Prepared(NamedTuple):
    """A training run before its first epoch."""

    data: Tensors
    state: State
    settled: Settled
    digest: str  # of the pictures as they were loaded
    classes: tuple[str, ...]  # how the source writes each label
    rows: np.ndarray  # (n,) 0-based row of each training picture in its source
    files: tuple[str, ...]  # (n,) the file of each training picture, or none
    given: NoisyLabels  # (n,) labels before a person's decisions
    decided: Record | None  # how many of these labels a person has decided, if --labels has decisions
    key: str  # of the run, for decisions on its labels
    notes: tuple[str, ...]


def uncounted(_what: str, _done: int, _total: int) -> None:
    """Preparation that is not shown."""


def prepare(
    config: TrainingConfig,
    device: torch.device,
    ranks: Ranks = ALONE,
    progress: Counting = uncounted,
    folder: Path | None = None,
) -> Prepared:
    """Load, inject noise, move to the device, initialise. Only rank 0 reads or downloads. Raises `InputError`.

    progress: of reading pictures, of estimating the noise rate, and of candidate runs. folder: where the candidates are kept.
    """
    reading = partial(progress, "pictures")
    pictures = from_first(ranks, lambda: load_pictures(config.dataset, config.data_dir, config.seed, config.size, reading))
    train, shape = pictures.train, pictures.train.x.shape[1:]
    check_sizes(config, len(train.labels), shape)
    given = redraw_labels(
        train.labels, len(pictures.classes), config.noise_rate or 0.0, config.noise_type, generator(config.seed, "noise")
    )
    key = training_key(config, pictures, given)
    decided = from_first(ranks, lambda: read_decisions(config.labels, key, pictures, given.labels) if config.labels else None)
    data = tensors(pictures, decided.labels if decided else given.labels, config.noise_type != "none", device)

    def plain(stream: Stream) -> nn.Module:
        built = build(config.network, shape, data.classes, stream_seed(config.seed, stream))
        return placed(built, device, config.settings.amp)

    def network(stream: Stream) -> nn.Module:
        built = plain(stream)
        return share_norms(built, device) if ranks.world > 1 else built

    beside = companion(config.settings.method, data.classes, lambda: network("peer")).to(device)
    seeds = stream_seed(config.seed, "order"), stream_seed(config.seed, "augment")
    state = start(network("initialisation"), beside, config.settings, *seeds)
    arrays = (train.x, train.labels, pictures.test.x, pictures.test.labels, *((decided.labels,) if decided else ()))
    files = tuple(pictures.files[row] for row in train.rows) if pictures.files else ()
    read = digest((*arrays, pictures.validation.x, pictures.validation.labels), repr(pictures.classes))
    trusted = trusted_rows(pictures, data) if config.settings.method == "rdia-ls" else None
    begun = Begun(config, data, trusted, partial(plain, "initialisation"), read)
    found = from_first(ranks, lambda: settings_to_use(begun, folder, progress))
    notes = (*pictures.notes, *found.notes, *trusted_notes(pictures, trusted))
    counts = count_decisions(decided, given, train.labels) if decided else None
    with_trusted = data._replace(trusted=trusted)
    return Prepared(with_trusted, state, found, read, pictures.classes, train.rows, files, given, counts, key, notes)


class Begun(NamedTuple):
    """What settings are chosen from."""

    config: TrainingConfig
    data: Tensors
    trusted: Trusted | None
    network: Callable[[], nn.Module]  # makes one in its first state
    digest: str


def trusted_rows(pictures: Dataset, data: Tensors) -> Trusted | None:
    """The validation rows, if there are any, beside the data: on its device, and as floats if its pixels are."""
    part, device = pictures.validation, data.labels.device
    if not len(part.labels):
        return None
    x, labels = (torch.from_numpy(np.array(values)).to(device) for values in (part.x, part.labels))
    return Trusted(as_pixels(x) if data.x.is_floating_point() else x, labels)


def trusted_notes(pictures: Dataset, trusted: Trusted | None) -> tuple[str, ...]:
    """What the validation rows are used for besides choosing, if there are any."""
    count = len(pictures.validation.labels)
    return ((TRAINED_ON if trusted else UNUSED).format(count),) if count else ()


def settings_to_use(begun: Begun, folder: Path | None, progress: Counting) -> Settled:
    """Estimate the noise rate if it is not given, and let the trusted rows, if there are any, choose what is not given."""
    config, data, trusted, network, read = begun
    settings, rate, notes = config.settings, None, []
    seeds = stream_seed(config.seed, "order"), stream_seed(config.seed, "augment")
    if config.noise_rate is None:
        halves, estimating = generator(config.seed, "halves"), partial(progress, "epochs of the estimate of the noise rate")
        rate = estimated_noise_rate(data, network, halves, seeds[0], settings.amp, estimating, trusted)
        settings = with_rate(settings, rate.estimate)
        notes.append(ESTIMATED.format(*rate))
    if not trusted or not (rate or config.choose_gamma):
        return Settled(settings, rate, None, tuple(notes))

    def started() -> State:
        return start(network(), nn.Identity(), settings, *seeds)

    of_candidates = partial(progress, "epochs of the candidates")
    choosing = Choosing(data, trusted, started, {**config.flat(), "data": read}, folder, of_candidates)
    settings, chosen = choose_settings(choosing, settings, rate.estimate if rate else None, config.choose_gamma)
    return Settled(settings, rate, chosen, (*notes, CHOSEN_BY_TRUSTED.format(**chosen)))


def training_key(config: TrainingConfig, pictures: Dataset, given: NoisyLabels) -> str:
    """The key of the run: its data, and the settings that its given labels depend on; decisions hold for any way to train."""
    settings = {name: getattr(config, name) for name in ("noise_rate", "noise_type", "seed")}
    if config.noise_type == "none":
        del settings["noise_rate"]
    return run_key({"dataset": Path(config.dataset).resolve().name, **settings}, pictures, given.labels)


def check_sizes(config: TrainingConfig, n: int, shape: tuple[int, ...]) -> None:
    """Raise `InputError` for fewer samples than a batch, or pictures that are too small for the network."""
    batch = config.settings.batch_size
    if n < batch:
        raise InputError(f"--dataset {config.dataset}: has {n} training samples, fewer than a batch of {batch}; lower --batch_size")
    if config.network not in {"auto", "mlp"} and min(shape[1:]) < DOWNSAMPLED:
        raise InputError(
            f"--network {config.network}: needs pictures of {DOWNSAMPLED} by {DOWNSAMPLED} or more, these are {shape[1]} by"
            f" {shape[2]}; use mlp"
        )
    if config.settings.augment != "none" and shape[1] == 1:
        raise InputError(f"--augment {config.settings.augment}: is for pictures, and {config.dataset} has rows; leave it out")


def tensors(pictures: Dataset, labels: np.ndarray, known: bool, device: torch.device) -> Tensors:
    """The pictures on the device, with these labels (n,) for training. known: whether those of the data are the true ones."""
    train, test, classes = pictures.train, pictures.test, len(pictures.classes)
    x, x_test = (torch.from_numpy(np.array(part.x)).to(device) for part in (train, test))
    if x.dtype == torch.uint8 and x.numel() <= FLOAT_PIXELS:
        x, x_test = x.float().div_(255), x_test.float().div_(255)
    given, correct, labels_test = (torch.from_numpy(part).to(device) for part in (labels, labels == train.labels, test.labels))
    return Tensors(x, given, correct if known else None, x_test, labels_test, classes)
