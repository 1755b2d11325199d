"""Folders of picture files: train/CLASS/*.png, and optionally val/CLASS/*.png and test/CLASS/*.png."""

import logging
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.errors import InputError
from data.source import Labelled, Source, source_of

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # whatever a file's name says: for EPS Pillow would run a program
MOST_PIXELS = 2**24


class Folder(NamedTuple):
    """The pictures of one part, class by class, by name within a class."""

    pixels: np.ndarray  # (n, height, width (, 3)) uint8
    y: np.ndarray  # (n,) names of classes
    files: tuple[str, ...]  # (n,) CLASS/NAME


def picture_folder(path: Path) -> Source:
    """A user's pictures. The file of each row is within train/. Raises `InputError` that names the file."""
    train = read_folder(path / "train")
    folders = {"train": train}
    for role in ("val", "test"):
        if (path / role).exists():
            folders[role] = read_folder(path / role, train.pixels.shape[1:])
    where = {role: str(path / role) for role in folders}
    parts = {role: Labelled(folder.pixels, folder.y) for role, folder in folders.items()}
    source = source_of(where, parts, np.unique(train.y).tolist())
    # The pictures of a class lie side by side: in that order the last 30% would be one class.
    return source._replace(shuffle=True, files=train.files)


def read_folder(folder: Path, shape: tuple[int, ...] | None = None) -> Folder:
    """Read `folder`/CLASS/*.png (jpg, bmp, ...). Colour pictures give three channels, others one.

    shape: what every picture has to have; the first picture's own if None. Raises `InputError` that names the file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a folder of {folder}/CLASS/*.png; rename it")
    paths = sorted(path for path in folder.glob("[!.]*/[!.]*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise InputError(f"{folder}: has no pictures; expected {folder}/CLASS/*.png")
    shape = shape or read_picture(paths[0]).shape
    pixels = np.empty((len(paths), *shape), dtype=np.uint8)
    for row, path in enumerate(paths):
        picture = read_picture(path)
        if picture.shape != shape:
            raise InputError(f"{path}: is {picture.shape}, the others are {shape}; bring all to one size and colour mode")
        pixels[row] = picture
    files = tuple(f"{path.parent.name}/{path.name}" for path in paths)
    return Folder(pixels, np.array([path.parent.name for path in paths]), files)


def read_picture(path: Path) -> np.ndarray:
    """One picture's bytes, (height, width), or (height, width, 3) of one with colours. Raises `InputError`."""
    from PIL import Image

    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it has to say of a picture is in its error
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise ValueError("it is not a file")
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:  # known before it is unpacked
                raise ValueError(f"{picture.width} by {picture.height} pixels are too many, expected at most {MOST_PIXELS:,}")
            return _pixels(picture)
    except Exception as error:  # Pillow's readers raise a dozen kinds, `MemoryError` and `struct.error` among them
        raise InputError(f"{path}: cannot be read as a picture ({error}); repair or remove it") from error


def _pixels(picture: Any) -> np.ndarray:
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        return (np.asarray(picture) // 257).astype(np.uint8)
    if picture.mode == "P":  # with transparency in its palette Pillow warns unless it is kept at first
        return np.asarray(picture.convert("RGBA").convert("RGB"))
    return np.asarray(picture.convert("L" if picture.mode in {"1", "L", "LA", "F"} else "RGB"))
