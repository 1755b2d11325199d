"""Pictures as arrays of bytes: MNIST, CIFAR-10 and SVHN in torchvision's layout, and folders of picture files.

None of these readers imports torch or runs anything that a file asks for.
"""

import gzip
import hashlib
import io
import logging
import pickle
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.download import download, gunzip, untar
from data.errors import InputError

# Checksums as torchvision publishes them beside the same files.
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"
CIFAR100_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
CIFAR100_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
CIFAR_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "train": "16019d7e3df5f24257cddd939b257f8d",  # CIFAR-100's
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
}
SVHN_URL = "http://ufldl.stanford.edu/housenumbers/"
SVHN_MD5 = {
    "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
    "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
}
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
MOST_PIXELS = 2**24
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # no others, whatever a file's name: Pillow has a program read EPS


def is_here(name: str, data_dir: Path) -> bool:
    """Whether `data_dir` has the files of "mnist", "cifar10", "cifar100" or "svhn"."""
    raw = data_dir / "MNIST" / "raw"
    wanted = {
        "mnist": [raw / name for name in MNIST_MD5],
        "cifar10": [data_dir / "cifar-10-batches-py"],
        "cifar100": [data_dir / "cifar-100-python"],
        "svhn": [data_dir / name for name in SVHN_MD5],
    }[name]
    return all(path.exists() or path.with_name(f"{path.name}.gz").exists() for path in wanted)


class Images(NamedTuple):
    """Pictures and their classes."""

    pixels: np.ndarray  # (n, ...) uint8, 0 to 255
    labels: np.ndarray  # (n,) integers


def mnist(data_dir: Path, part: str) -> Images:
    """MNIST's "train" or "t10k" pictures, (n, 784), read in place: only the rows that are used come off the disk."""
    folder = data_dir / "MNIST" / "raw"
    pixels = _idx(_mnist_file(folder, f"{part}-images-idx3-ubyte"), dimensions=3)
    return _paired(folder, pixels.reshape(len(pixels), -1), _idx(_mnist_file(folder, f"{part}-labels-idx1-ubyte"), 1))


def _mnist_file(folder: Path, name: str) -> Path:
    path, packed = folder / name, folder / f"{name}.gz"
    if path.exists() or packed.exists():
        return path if path.exists() else packed
    return download(f"{MNIST_URL}{name}.gz", MNIST_MD5[name], path, gunzip)


def _idx(path: Path, dimensions: int) -> np.ndarray:
    """An IDX file of bytes: magic 0x0000_08_dd, dd big-endian 32-bit sizes, then the bytes."""
    start = 4 + 4 * dimensions
    try:
        raw = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8) if path.suffix == ".gz" else np.memmap(path, mode="r")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove it, and it is fetched again") from error
    sizes = raw[4:start].view(">u4") if len(raw) >= start else np.zeros(dimensions)
    if bytes(raw[:4]) != bytes([0, 0, 8, dimensions]) or len(raw) - start != int(np.prod(sizes, dtype=np.int64)):
        raise InputError(f"{path}: is damaged or cut short; remove it, and it is fetched again")
    return np.asarray(raw[start:]).reshape(sizes)


def cifar10(data_dir: Path, part: str) -> Images:
    """CIFAR-10's "train" or "test" pictures, (n, 3072), channel by channel."""
    folder = data_dir / "cifar-10-batches-py"
    if not folder.exists():
        download(CIFAR10_URL, CIFAR10_MD5, folder, untar(folder.name))
    names = [f"data_batch_{number}" for number in range(1, 6)] if part == "train" else ["test_batch"]
    batches = [_cifar_batch(folder / name, "labels") for name in names]
    return Images(*(np.concatenate(column) for column in zip(*batches, strict=True)))


def cifar100(data_dir: Path, part: str) -> Images:
    """CIFAR-100's "train" or "test" pictures, (n, 3072), channel by channel, with their fine labels."""
    folder = data_dir / "cifar-100-python"
    if not folder.exists():
        download(CIFAR100_URL, CIFAR100_MD5, folder, untar(folder.name))
    return _cifar_batch(folder / part, "fine_labels")


# What a pickled array of numbers names; a CIFAR-10 batch names nothing else.
ARRAY_PARTS = {
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numbers, strings, lists, dictionaries and numpy arrays; whatever else a file names is refused, unrun."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAY_PARTS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR-10 file needs")
        return ARRAY_PARTS[module, name]


def _cifar_batch(path: Path, labels_key: str) -> Images:
    remedy = "remove its folder, and it is fetched again"
    content = _published(path, CIFAR_MD5[path.name], remedy)
    try:
        batch = _ArraysOnly(content, encoding="latin1").load()
        pixels, labels = batch["data"], np.array(batch[labels_key], dtype=np.int64)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"{path}: is not a CIFAR batch ({error}); {remedy}") from error
    return _paired(path, np.asarray(pixels), labels)


def _published(path: Path, md5: str, remedy: str) -> io.BytesIO:
    """The content of a file that is, byte for byte, the published one: what reads it, numpy or scipy, may crash on another.

    Raises `InputError`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise InputError(f"{path}: is not the published file (its MD5 is {found}, expected {md5}); {remedy}")
    return io.BytesIO(content)


def svhn(data_dir: Path, part: str) -> Images:
    """SVHN's "train" or "test" pictures, (n, 3072), channel by channel; the file's class 10 is the digit 0."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    name, remedy = f"{part}_32x32.mat", "remove it, and it is fetched again"
    path = data_dir / name
    if not path.exists():
        download(f"{SVHN_URL}{name}", SVHN_MD5[name], path, prepare=lambda fetched: fetched)
    content = _published(path, SVHN_MD5[name], remedy)
    try:
        arrays = loadmat(content, variable_names=["X", "y"])
        pixels = arrays["X"].transpose(3, 2, 0, 1)  # (n, 3, 32, 32)
        labels = arrays["y"].reshape(-1).astype(np.int64) % 10
    except (OSError, ValueError, KeyError, TypeError, IndexError, NotImplementedError, zlib.error, MatReadError) as error:
        raise InputError(f"{path}: is not an SVHN file ({error}); {remedy}") from error
    return _paired(path, pixels.reshape(len(pixels), -1), labels)


def _paired(path: Path, pixels: np.ndarray, labels: np.ndarray) -> Images:
    if pixels.ndim != 2 or pixels.dtype != np.uint8 or labels.shape != (len(pixels),):
        raise InputError(
            f"{path}: holds {pixels.shape} {pixels.dtype} pixels and {labels.shape} labels, expected a row of bytes and a"
            " label for each picture; remove it, and it is fetched again"
        )
    return Images(pixels, labels)


class Folder(NamedTuple):
    """The pictures of one part (train, val, test) of an image folder, class by class, by name within a class."""

    pixels: np.ndarray  # (n, height * width * channels) uint8
    labels: np.ndarray  # (n,) place of the class in `classes`
    classes: tuple[str, ...]  # ascending
    files: tuple[str, ...]  # (n,) CLASS/NAME
    shape: tuple[int, ...]  # of one picture: height, width (, 3)


def parts_of(folder: Path) -> list[str]:
    """Which of train, val and test a folder of pictures has. Raises `InputError` for one that is no folder."""
    there = [folder / name for name in ("train", "val", "test") if (folder / name).exists()]
    for path in there:
        if not path.is_dir():
            raise InputError(f"{path}: is a file, expected a folder of {path}/CLASS/*.png; rename it")
    return [path.name for path in there]


def image_folder(folder: Path, shape: tuple[int, ...] | None = None) -> Folder:
    """Read `folder`/CLASS/*.png (jpg, bmp, ...). Colour pictures give three channels, others one.

    shape: what every picture has to have; the first picture's own if None. Raises `InputError` that names the file.
    """
    paths = sorted(path for path in folder.glob("[!.]*/[!.]*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise InputError(f"{folder}: has no pictures; expected {folder}/CLASS/*.png")
    shape = shape or _picture(paths[0]).shape
    pixels = np.empty((len(paths), *shape), dtype=np.uint8)
    for row, path in enumerate(paths):
        picture = _picture(path)
        if picture.shape != shape:
            raise InputError(f"{path}: is {picture.shape}, the others are {shape}; bring all to one size and colour mode")
        pixels[row] = picture
    names = [path.parent.name for path in paths]
    classes = tuple(sorted(set(names)))
    files = tuple(f"{path.parent.name}/{path.name}" for path in paths)
    return Folder(pixels.reshape(len(paths), -1), np.searchsorted(classes, names), classes, files, shape)


def _picture(path: Path) -> np.ndarray:
    from PIL import Image

    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it has to say of a picture is in its error
    try:
        if path.exists() and not path.is_file():  # a pipe is waited for
            raise ValueError("it is no file")
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:  # known before it is unpacked
                raise ValueError(f"{picture.width} by {picture.height} pixels are too many, expected {MOST_PIXELS:,} at most")
            return _pixels(picture)
    except Exception as error:  # Pillow's readers raise a dozen kinds, `MemoryError` and `struct.error` among them
        raise InputError(f"{path}: is not a picture that can be read ({error}); mend or remove it") from error


def _pixels(picture: Any) -> np.ndarray:
    """Bytes (height, width), or (height, width, 3) of one with colours."""
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        return (np.asarray(picture) // 257).astype(np.uint8)
    if picture.mode == "P":  # with transparency in its palette Pillow warns unless it is kept at first
        return np.asarray(picture.convert("RGBA").convert("RGB"))
    return np.asarray(picture.convert("L" if picture.mode in {"1", "L", "LA", "F"} else "RGB"))
