"""Data sets by name: those inside scikit-learn, those of the LIBSVM page, and torchvision's."""

import gzip
import tarfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.download import cause, download
from data.errors import InputError
from data.libsvm import pieces, read_libsvm
from data.libsvm_parts import Read, libsvm_source, packed_or_plain
from data.source import Part, Source, whole

CLASSES = {"mnist": 10, "cifar10": 10, "cifar100": 100, "svhn": 10}  # of torchvision's sets
PAIRS = {"mnist": (1, 7), "cifar10": (3, 5), "svhn": (1, 7)}  # the classes that RDIA tells apart; the first is label 1
SKIPPED = {"mnist": 100}  # Released: the first 100 training rows of MNIST are left out

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_MD5 = {  # of the packed files, as torchvision publishes them
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


class LibsvmSet(NamedTuple):
    """A set of the LIBSVM page, and how RDIA's experiments divide it."""

    file: str
    rows: int
    columns: int
    n_train: int | None = None  # None: it has a test file
    shuffle: bool = False
    test: str | None = None
    packed: str = ""  # how the page compresses the file


LIBSVM_URL = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/"
LIBSVM_SETS = {
    "cancer": LibsvmSet("breast-cancer_scale", 683, 10, n_train=500),
    "diabetes": LibsvmSet("diabetes_scale", 768, 8, n_train=500),
    # Released: a1a's test file is what is trained on, and its training file is the test set.
    "adult": LibsvmSet("a1a.t", 30_956, 123, test="a1a"),
    "a1a": LibsvmSet("a1a.t", 30_956, 123, test="a1a"),
    "news20": LibsvmSet("news20.binary", 19_996, 1_355_191, n_train=15_000, shuffle=True, packed=".bz2"),
    "realsim": LibsvmSet("real-sim", 72_309, 20_958, n_train=60_000, shuffle=True, packed=".bz2"),
    "covtype": LibsvmSet("covtype.libsvm.binary.scale", 581_012, 54, n_train=400_000, packed=".bz2"),
    "skin": LibsvmSet("skin_nonskin", 245_057, 3, n_train=220_000, shuffle=True),
    "avazu": LibsvmSet("avazu-app", 14_596_137, 1_000_000, test="avazu-app.t", packed=".bz2"),
    "criteo": LibsvmSet(
        "criteo.kaggle2014.svm/train.txt.svm", 45_840_617, 1_000_000, test="criteo.kaggle2014.svm/test.txt.svm", packed=".tar.xz"
    ),
}
LIBSVM_TEST_ROWS = {"a1a": 1_605, "avazu-app.t": 1_719_304}
CHECKED_ROWS = 100_000  # of a downloaded file, at a time


def wdbc() -> Source:
    """scikit-learn's breast-cancer set, 569 x 30, each feature scaled to mean 0 and variance 1, as the model has no intercept.

    Mean and variance are of all 569 rows, test rows included: a convention of this built-in demo set.
    """
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return Source(whole((x - x.mean(axis=0)) / x.std(axis=0), y == 1), ("0", "1"), shuffle=True)


def digits() -> Source:
    """scikit-learn's 8 x 8 digits, all ten, pixels / 16."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Source(whole(x.reshape(-1, 8, 8) / 16, y), tuple(map(str, range(10))), shuffle=True)


def pair(source: Source, positive: int, negative: int, skip: int = 0) -> Source:
    """Two classes of a source, without the first `skip` training rows; rows keep their number among all classes."""

    def taken(part: Part, start: int) -> Part:
        rows = np.flatnonzero(np.isin(part.labels, (positive, negative)))
        rows = rows[rows >= start]
        return Part(part.x[rows], (part.labels[rows] == positive).astype(np.int64), part.rows[rows])

    test = source.test and taken(source.test, 0)
    return source._replace(train=taken(source.train, skip), test=test, classes=(str(negative), str(positive)))


def torchvision_set(name: str, data_dir: Path) -> Source:
    """MNIST, CIFAR-10, CIFAR-100 or SVHN, all classes. Raises `InputError`."""
    if name == "mnist":
        train, test = (mnist_part(data_dir / "MNIST" / "raw", part) for part in ("train", "t10k"))
    else:
        train, test = (torchvision_part(name, data_dir, part) for part in ("train", "test"))
    return Source(train, tuple(map(str, range(CLASSES[name]))), test=test)


def torchvision_part(name: str, data_dir: Path, part: str) -> Part:
    """One part of CIFAR-10, CIFAR-100 or SVHN, downloaded if it is not there, bytes (n, 3, 32, 32). Raises `InputError`."""
    from torchvision import datasets  # which compares each file with its published MD5 before it is unpickled

    try:
        if name == "svhn":
            read = datasets.SVHN(data_dir, split=part, download=True)
            return whole(read.data, read.labels)
        read = getattr(datasets, name.upper())(data_dir, train=part == "train", download=True)
        return whole(read.data.transpose(0, 3, 1, 2), np.asarray(read.targets))
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"--dataset {name}: {data_dir} does not have its published files, and they could not be downloaded ({cause(error)});"
            " put them there by hand, or give the folder that has them as --data_dir"
        ) from error


def mnist_part(folder: Path, part: str) -> Part:
    """MNIST's "train" or "t10k" pictures, bytes (n, 28, 28); read in place, so that only rows in use come off the disk."""
    pixels = read_idx(mnist_file(folder, f"{part}-images-idx3-ubyte"), 3)
    labels = read_idx(mnist_file(folder, f"{part}-labels-idx1-ubyte"), 1)
    if len(pixels) != len(labels):
        raise InputError(f"{folder}: has {len(pixels):,} {part} pictures and {len(labels):,} labels; remove its files")
    return whole(pixels, labels)


def mnist_file(folder: Path, name: str) -> Path:
    """A file of MNIST, plain or packed, downloaded if it is not there."""
    found = packed_or_plain(folder / name)
    return found or download(f"{MNIST_URL}{name}.gz", folder / f"{name}.gz", MNIST_MD5[name])


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An IDX file of bytes: magic 0x0000_08_dd, dd big-endian 32-bit sizes, then the bytes. Raises `InputError`."""
    start = 4 + 4 * dimensions
    try:
        raw = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8) if path.suffix == ".gz" else np.memmap(path, mode="r")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove it, and it will be downloaded again") from error
    sizes = raw[4:start].view(">u4") if len(raw) >= start else np.zeros(dimensions)
    if bytes(raw[:4]) != bytes([0, 0, 8, dimensions]) or len(raw) - start != int(np.prod(sizes, dtype=np.int64)):
        raise InputError(f"{path}: is damaged or cut short; remove it, and it will be downloaded again")
    return np.asarray(raw[start:]).reshape(sizes)


def libsvm_set(name: str, data_dir: Path, read: Read = read_libsvm) -> Source:
    """A set of the LIBSVM page from `data_dir`/libsvm, downloaded if it is not there, divided as in RDIA's experiments."""
    entry = LIBSVM_SETS[name]
    names = {"train": entry.file, **({"test": entry.test} if entry.test else {})}
    source = libsvm_source({role: libsvm_path(entry, file, data_dir) for role, file in names.items()}, read)
    if entry.test:
        return source
    n = len(source.train.labels)
    if n != entry.rows:
        source = source._replace(notes=(f"{entry.file} has {n} rows, not {entry.rows}: it is divided in the same proportion",))
    return source._replace(shuffle=entry.shuffle, n_train=n * (entry.n_train or 0) // entry.rows)


def libsvm_path(entry: LibsvmSet, file: str, data_dir: Path) -> Path:
    """The file of a set, plain or compressed, downloaded if there is none."""
    path = data_dir / "libsvm" / file
    if found := packed_or_plain(path):
        return found
    if entry.packed == ".tar.xz":  # one archive holds both files
        folder = path.parent
        return download(f"{LIBSVM_URL}{folder.name}{entry.packed}", folder, prepare=unpacked) / path.name
    rows = LIBSVM_TEST_ROWS.get(file, entry.rows)
    target = path.with_name(path.name + entry.packed)
    return download(f"{LIBSVM_URL}{file}{entry.packed}", target, prepare=partial(of_shape, rows=rows, columns=entry.columns))


def unpacked(archive: Path) -> Path:
    """The folder NAME out of NAME.tar.xz, beside it."""
    with tarfile.open(archive) as file:
        file.extractall(archive.parent, filter="data")
    return archive.with_name(archive.name.removesuffix(".tar.xz"))


def of_shape(fetched: Path, rows: int, columns: int) -> Path:
    """The file, if it has the size that the page states, as no checksum is published. Raises `InputError`."""
    extents = [piece.x.shape for piece in pieces(fetched, CHECKED_ROWS)]
    n, largest = sum(shape[0] for shape in extents), max((shape[1] - 1 for shape in extents), default=0)
    if n != rows or largest > columns:
        expected = f"expected {rows} rows and at most {columns} columns; try again later"
        raise InputError(f"{fetched.name}: has {n} rows and {largest} columns after its download, {expected}")
    return fetched


# By name, all classes: what networks are trained on; RDIA takes two of them, or all under the name NAME10.
BUILT_IN: dict[str, Callable[[], Source]] = {"wdbc": wdbc, "digits": lambda: pair(digits(), 1, 7), "digits10": digits}
ROW_SETS = (*BUILT_IN, *LIBSVM_SETS, "mnist", "mnist10", "cifar10", "svhn")
PICTURE_SETS = ("digits", *CLASSES)


def row_set(name: str, data_dir: Path, read: Read = read_libsvm) -> Source:
    """One of `ROW_SETS`. Raises `InputError`."""
    if name in BUILT_IN:
        return BUILT_IN[name]()
    if name in LIBSVM_SETS:
        return libsvm_set(name, data_dir, read)
    if name == "mnist10":
        return torchvision_set("mnist", data_dir)
    return pair(torchvision_set(name, data_dir), *PAIRS[name], skip=SKIPPED.get(name, 0))


def picture_set(name: str, data_dir: Path) -> Source:
    """One of `PICTURE_SETS`, all its classes. Raises `InputError`."""
    return digits() if name == "digits" else torchvision_set(name, data_dir)


def is_here(name: str, data_dir: Path) -> bool:
    """Whether a set can be loaded without a download."""
    if name in BUILT_IN:
        return True
    if name in LIBSVM_SETS:
        entry = LIBSVM_SETS[name]
        return all(packed_or_plain(data_dir / "libsvm" / file) for file in (entry.file, entry.test) if file)
    if name in {"mnist", "mnist10"}:
        return all(packed_or_plain(data_dir / "MNIST" / "raw" / file) for file in MNIST_MD5)
    if name == "svhn":
        return all((data_dir / f"{part}_32x32.mat").exists() for part in ("train", "test"))
    return (data_dir / FOLDERS[name]).exists()
