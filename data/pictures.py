"""Pictures of any number of classes, for networks: (n, channels, height, width), bytes or float32 in [0, 1]."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.classes import places, several
from data.errors import InputError
from data.images import Images, cifar10, cifar100, image_folder, mnist, parts_of, svhn
from data.npz import read_npz
from data.streams import generator


class Pictures(NamedTuple):
    """Training and test pictures with integer labels, places in `classes`."""

    x: np.ndarray  # (n, channels, height, width) uint8 or float32
    labels: np.ndarray  # (n,)
    x_test: np.ndarray
    labels_test: np.ndarray
    classes: tuple[str, ...]  # how the source writes each label
    rows: np.ndarray  # (n,) number of each training picture among the source's, from 0
    files: tuple[str, ...] = ()  # (n,) of an image folder's: CLASS/NAME within train/
    notes: tuple[str, ...] = ()  # what whoever uses the data should know


LEAST = 5  # samples without a test part of their own
OWN_TEST = (
    "{count:,} of your own training rows were taken for the test, which are not examined themselves, and whose labels count as"
    " true; better give rows that you have checked as x_test and y_test, or in test/"
)
LARGEST = float(np.finfo(np.float32).max)


class PublicSet(NamedTuple):
    """A data set of torchvision's."""

    read: Callable[[Path, str], Images]
    test: str  # how its test part is called
    shape: tuple[int, int, int]
    classes: int


PUBLIC_SETS = {
    "mnist": PublicSet(mnist, "t10k", (1, 28, 28), 10),
    "cifar10": PublicSet(cifar10, "test", (3, 32, 32), 10),
    "cifar100": PublicSet(cifar100, "test", (3, 32, 32), 100),
    "svhn": PublicSet(svhn, "test", (3, 32, 32), 10),
}
PICTURE_SETS = ("digits", *PUBLIC_SETS)


def load_pictures(name: str, data_dir: Path, seed: int) -> Pictures:
    """The data set `name`: one of `PICTURE_SETS`, or the path of an `.npz` or of a folder of pictures. Raises `InputError`."""
    if name == "digits":
        return _digits(seed)
    if name in PUBLIC_SETS:
        return _public(PUBLIC_SETS[name], data_dir)
    path = Path(name)
    if name and path.is_dir():
        return _folder(path, seed)
    if path.is_file() and path.suffix == ".npz":
        return _npz(path, seed)
    if path.is_file():
        raise InputError(
            f"--dataset {name}: is no .npz file and no folder of pictures, on which networks train; see RDIA.py for others"
        )
    raise InputError(
        f"--dataset {name}: no such data set, .npz file or folder; expected a path, or one of {', '.join(PICTURE_SETS)}"
    )


def _digits(seed: int) -> Pictures:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _divided("digits", (x / 16).astype(np.float32).reshape(-1, 1, 8, 8), y, tuple(map(str, range(10))), seed)


def _public(source: PublicSet, data_dir: Path) -> Pictures:
    train, test = source.read(data_dir, "train"), source.read(data_dir, source.test)
    x, x_test = (images.pixels.reshape(-1, *source.shape) for images in (train, test))
    labels, labels_test = (images.labels.astype(np.int64) for images in (train, test))
    return Pictures(x, labels, x_test, labels_test, tuple(map(str, range(source.classes))), np.arange(len(labels)))


def _folder(path: Path, seed: int) -> Pictures:
    train = image_folder(path / "train")
    names = np.array(train.classes)
    several(f"{path / 'train'}", names, train.classes)
    x = _channels_first(train.pixels.reshape(-1, *train.shape))
    if "test" not in parts_of(path):
        divided = _of_your_own(path, x, train.labels, train.classes, seed)
        return divided._replace(files=tuple(train.files[row] for row in divided.rows))
    test = image_folder(path / "test", train.shape)
    labels_test = places(f"{path / 'test'}", np.array(test.classes)[test.labels], names)
    x_test = _channels_first(test.pixels.reshape(-1, *test.shape))
    return Pictures(x, train.labels, x_test, labels_test, train.classes, np.arange(len(x)), train.files)


def _npz(path: Path, seed: int) -> Pictures:
    parts = read_npz(path)
    values, labels = np.unique(parts["train"].y, return_inverse=True)
    classes = tuple(map(str, values))
    several(str(path), values, classes)
    if not parts["train"].x[0].size:
        raise InputError(f"{path}: has labels and no features; add features")
    for role, part in parts.items():
        if (largest := float(np.abs(part.x).max(initial=0))) > LARGEST:
            raise InputError(f"{path}: x_{role} goes up to {largest:.3g}, networks take {LARGEST:.3g} at most; scale the features")
    x = _channels_first(parts["train"].x)
    if "test" not in parts:
        return _of_your_own(path, x, labels, classes, seed)
    labels_test = places(f"{path}: y_test", parts["test"].y, values)
    return Pictures(x, labels, _channels_first(parts["test"].x), labels_test, classes, np.arange(len(x)))


def _of_your_own(path: Path, x: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], seed: int) -> Pictures:
    """A user's rows without a test part, divided, with a note of it."""
    divided = _divided(str(path), x, labels, classes, seed)
    return divided._replace(notes=(OWN_TEST.format(count=len(divided.labels_test)),))


def _channels_first(x: np.ndarray) -> np.ndarray:
    """(n, d), (n, h, w), (n, h, w, c) or (n, c, h, w) as (n, c, h, w), bytes or float32; c of 1 or 3 may come last."""
    if x.ndim == 4 and x.shape[-1] in {1, 3} and x.shape[1] not in {1, 3}:
        x = x.transpose(0, 3, 1, 2)
    elif x.ndim < 4:
        x = x.reshape(len(x), 1, *((1, -1) if x.ndim == 2 else x.shape[1:]))
    elif x.ndim > 4:
        x = x.reshape(len(x), 1, 1, -1)
    return np.ascontiguousarray(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32)


def _divided(name: str, x: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], seed: int) -> Pictures:
    """Rows without a test part: shuffled by the seed, the last 20% are the test set."""
    if len(labels) < LEAST:
        raise InputError(
            f"{name}: has {len(labels)} samples, expected {LEAST} or more, to take a fifth of them for the test; add test samples"
        )
    order = generator(seed, "split").permutation(len(labels))
    train, test = np.split(order, [len(order) - len(order) // 5])
    return Pictures(x[train], labels[train].astype(np.int64), x[test], labels[test].astype(np.int64), classes, train)
