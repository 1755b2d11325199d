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
from models.augment import PADDING
from models.devices.ranks import ALONE, Ranks, from_first
from models.devices.shared_norm import share_norms
from models.methods import companion
from models.noise_rate import estimated_noise_rate
from models.promise import Estimate, within_drawn
from models.repair import LEAST_TRUSTED
from models.settings import Settings, with_rate
from models.training import State, Tensors, as_pixels, places_of, start
from models.trusted import Trusted
from run.decisions import Decided, count_decisions, read_decisions, undecided
from run.identity import run_key
from run.records import Record
from run.training_config import TrainingConfig

ESTIMATED = "about {0:.0%} of the labels are wrong, between {1:.0%} and {2:.0%}, estimated from {3}; --noise_rate sets it"
TRAINED_ON = "validation rows are trained on as well, and their labels are taken as right: {0:,}"
DRAWN_ROWS = "rows that you decided were drawn at random, and are trained on as trusted ones: {0:,}"
UNUSED = "validation rows are not used, as only --method rdia-ls uses them: {0:,}"
Counting: TypeAlias = Callable[[str, int, int], None]  # called with what is counted, how many are done, and of how many
LEAST_CROPPED = 16  # pixels of a side
FLOAT_PIXELS = 2**27  # 0.5 GB of float32: larger sets stay bytes on the device


class Prepared(NamedTuple):
    """A training run before its first epoch."""

    data: Tensors
    state: State
    settings: Settings  # to train with
    rate: Estimate | None  # estimated, if the configuration has none
    digest: str  # of the pictures as they were loaded
    classes: tuple[str, ...]  # how the source writes each label
    rows: np.ndarray  # (n,) 0-based row of each training picture in its source
    files: tuple[str, ...]  # (n,) the file of each training picture, or none
    given: NoisyLabels  # (n,) labels before a person's decisions
    decided: Record | None  # how many of these labels a person has decided, if --labels has decisions
    key: str  # of the run, for decisions on its labels
    notes: tuple[str, ...]
    noisy_test: bool  # whether test rows were taken from a user's training rows, with their labels as given


def uncounted(_what: str, _done: int, _total: int) -> None:
    """Preparation that is not shown."""


def prepare(
    config: TrainingConfig,
    device: torch.device,
    ranks: Ranks = ALONE,
    progress: Counting = uncounted,
    known: Estimate | None = None,
) -> Prepared:
    """Load, inject noise, move to the device, initialise. Only rank 0 reads or downloads. Raises `InputError`.

    progress: of reading pictures, and of estimating the noise rate. known: the noise rate, if it has been estimated before.
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
    data = tensors(pictures, decided or undecided(given.labels), config, device)

    def plain(stream: Stream) -> nn.Module:
        built = build(config.network, shape, data.classes, stream_seed(config.seed, stream))
        return placed(built, device, config.settings.amp)

    def network(stream: Stream) -> nn.Module:
        built = plain(stream)
        return share_norms(built, device) if ranks.world > 1 else built

    beside = companion(config.settings.method, data.classes, lambda: network("peer")).to(device)
    seeds = stream_seed(config.seed, "order"), stream_seed(config.seed, "augment")
    state = start(network("initialisation"), beside, config.settings, *seeds)
    files = tuple(pictures.files[row] for row in train.rows) if pictures.files else ()
    read = picture_digest(pictures, decided)
    rate, settings = None, config.settings
    if config.noise_rate is None:
        first = partial(plain, "initialisation")
        rate = known or from_first(ranks, lambda: estimated(config, data, given.labels, first, progress))
        settings = with_rate(settings, rate.estimate)
    notes = (*pictures.notes, *rate_notes(rate, data), *trusted_notes(pictures, data))
    counts, noisy = count_decisions(decided, given, train.labels) if decided else None, pictures.noisy_test
    return Prepared(data, state, settings, rate, read, pictures.classes, train.rows, files, given, counts, key, notes, noisy)


def picture_digest(pictures: Dataset, decided: Decided | None) -> str:
    """A hash of all that a run is trained and tested on."""
    parts = [array for part in (pictures.train, pictures.test) for array in (part.x, part.labels)]
    trusted = pictures.validation.x, pictures.validation.labels
    return digest((*parts, *((decided.labels, decided.drawn) if decided else ()), *trusted), repr(pictures.classes))


def rate_notes(rate: Estimate | None, data: Tensors) -> tuple[str, ...]:
    """The noise rate, if it was estimated, and from what."""
    source = "the labels and the rows that you trust" if len(places_of(data)[1]) else "the labels"
    return (ESTIMATED.format(*rate, source),) if rate else ()


def trusted_notes(pictures: Dataset, data: Tensors) -> tuple[str, ...]:
    """What the validation rows, and those that were drawn at random, are used for, if there are any."""
    count = len(pictures.validation.labels)
    of_validation = ((TRAINED_ON if data.trusted else UNUSED).format(count),) if count else ()
    return of_validation if data.drawn is None else (*of_validation, DRAWN_ROWS.format(int(data.drawn.sum())))


def estimated(
    config: TrainingConfig, data: Tensors, given: np.ndarray, network: Callable[[], nn.Module], progress: Counting
) -> Estimate:
    """The noise rate of given labels, by networks that are begun as `network` makes them, less the share that a person changed.

    Of decided labels it could not be estimated: samples of which a network is surest tell it, and those are decided first. Those
    that were drawn at random do not train these networks: they tell the share of wrong labels themselves.
    """
    halves, seed = generator(config.seed, "halves"), stream_seed(config.seed, "order")
    of_estimate = partial(progress, "epochs of the estimate of the noise rate")
    doubted = places_of(data)[0]
    own = doubted.to(data.labels.device)
    labels = torch.from_numpy(given).to(own.device)[own]
    before = Tensors(data.x[own], labels, None, data.x_test, data.labels_test, data.classes, data.trusted)
    changed = data.labels.cpu().numpy() != given
    found = estimated_noise_rate(before, network, halves, seed, config.settings.amp, of_estimate)
    if data.drawn is not None:
        found = within_drawn(found, int(changed[data.drawn.numpy()].sum()), int(data.drawn.sum()))
    share = float(changed[doubted.numpy()].mean())
    return Estimate(*(max(0.0, bound - share) for bound in found))


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
    if config.settings.augment in {"crop", "both"} and min(shape[1:]) < LEAST_CROPPED and shape[1] > 1:
        moves = f"moves pictures by up to {PADDING} pixels, and these are {shape[1]} by {shape[2]}"
        raise InputError(f"--augment {config.settings.augment}: {moves}; give flip, or none")
    if config.settings.augment != "none" and shape[1] == 1:
        raise InputError(f"--augment {config.settings.augment}: is for pictures, and {config.dataset} has rows; leave it out")


def tensors(pictures: Dataset, decided: Decided, config: TrainingConfig, device: torch.device) -> Tensors:
    """The pictures on the device, with these labels for training, and the validation rows if the method trains on them."""
    train, test, other = parts = pictures.train, pictures.test, pictures.validation
    x, x_test, x_trusted = (torch.from_numpy(np.array(part.x)).to(device) for part in parts)
    if x.dtype == torch.uint8 and x.numel() <= FLOAT_PIXELS:
        x, x_test, x_trusted = as_pixels(x), as_pixels(x_test), as_pixels(x_trusted)
    correct = None if config.noise_type == "none" else torch.from_numpy(decided.labels == train.labels).to(device)
    given, labels_test, trusted = (torch.from_numpy(of).to(device) for of in (decided.labels, test.labels, other.labels))
    known = Trusted(x_trusted, trusted) if len(trusted) and config.settings.method == "rdia-ls" else None
    checked = torch.from_numpy(decided.rows).to(device) if decided.rows.any() else None
    drawn = torch.from_numpy(decided.drawn) if can_trust(decided.drawn, config.settings) else None
    return Tensors(x, given, correct, x_test, labels_test, len(pictures.classes), known, checked, drawn)


def can_trust(drawn: np.ndarray, settings: Settings) -> bool:
    """Whether the samples that were drawn at random and decided, (n,) bool, are trusted ones: some, and enough others are left."""
    return settings.method == "rdia-ls" and drawn.sum() >= LEAST_TRUSTED and (~drawn).sum() >= settings.batch_size
