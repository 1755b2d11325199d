"""Folders of picture files: train/CLASS/*.png, and optionally val/CLASS/*.png and test/CLASS/*.png; or CLASS/*.png alone."""

import logging
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.errors import InputError
from data.source import PARTS, Labelled, Source, source_of
from data.telling import Progress, silent, telling

FORMATS = {  # by the end of a name; Pillow is told the formats, as for EPS it would run a program
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".jpe": "JPEG", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP",
    ".tif": "TIFF", ".tiff": "TIFF", ".avif": "AVIF",
}  # fmt: skip
UNREAD = {".heic", ".heif", ".jxl", ".jp2", ".svg", ".dng"}  # pictures that Pillow does not read
MOST_PIXELS = 2**26  # a phone's have up to 50 million
WITHOUT_COLOURS = {"1", "L", "LA", "La", "F"}  # Pillow's modes without colours, beside those that begin with I
ORIENTATION, TURNED = 0x0112, {5, 6, 7, 8}  # the EXIF tag, and its values that exchange width and height
SHOWN_FILES = 3


class Folder(NamedTuple):
    """The pictures of one part, class by class, by name within a class."""

    pixels: np.ndarray  # (n, height, width (, 3)) uint8
    y: np.ndarray  # (n,) names of classes
    files: tuple[str, ...]  # (n,) CLASS/NAME
    wide: bool | None  # whether pictures of 16 bits use more than 8 of them; None: there are none
    notes: tuple[str, ...] = ()


class Head(NamedTuple):
    """What is known of a picture before it is unpacked."""

    height: int  # as it is to be seen
    width: int
    colours: bool
    frames: bool  # whether it has several


class Look(NamedTuple):
    """How pictures are brought to one shape."""

    shape: tuple[int, ...]  # (height, width), or with 3 channels
    wide: bool | None = None  # whether 16 bits are used; None: to be found out


def picture_folder(path: Path, size: int | None = None, progress: Progress = silent) -> Source:
    """A user's pictures. The file of each row is within train/. size: pixels of each side that all are brought to.

    progress: called with how many pictures of a part are opened, then with how many are read, and their number.

    Raises `InputError` that names the file.
    """
    folders: dict[str, Path] = {}
    for each in sorted(path.iterdir()):
        role = PARTS.get(each.name.lower())
        if role in folders:
            raise InputError(f"{each}: {folders[role].name}/ is there too, and both are {role} pictures; merge them or rename one")
        if role:
            folders[role] = each
    train = read_folder(folders.get("train", path if not folders else path / "train"), size, progress=progress)
    read = {"train": train}
    look = Look(train.pixels.shape[1:], train.wide)
    read |= {role: read_folder(folders[role], size, look, progress) for role in ("val", "test") if role in folders}
    where = {role: str(folders.get(role, path)) for role in read}
    parts = {role: Labelled(folder.pixels, folder.y) for role, folder in read.items()}
    source = source_of(where, parts, np.unique(train.y).tolist())
    others = [each.name for each in sorted(path.iterdir()) if folders and each not in folders.values() and each.name[0] != "."]
    notes = [f"{path}: {_some(others)} not used, expected train, val and test"] if others else []
    # The pictures of a class lie side by side: in that order the last 30% would be one class.
    return source._replace(
        shuffle=True, files=train.files, notes=(*notes, *(note for each in read.values() for note in each.notes))
    )


def read_folder(folder: Path, size: int | None = None, look: Look | None = None, progress: Progress = silent) -> Folder:
    """Read `folder`/CLASS/*.png (jpg, bmp, ...). If any picture has colours all get three channels, else one.

    size: pixels of each side; None: all have to be of one shape. look: of another part, which is kept. progress: as of
    `picture_folder`. Raises `InputError` that names the file.
    """
    paths, notes = _files(folder)
    heads = list(telling(map(picture_head, paths), len(paths), progress))
    shape = look.shape if look else _shape(folder, paths, heads, size)
    several = [_within(folder, path) for path, head in zip(paths, heads, strict=True) if head.frames]
    if several:
        notes.append(f"{folder}: {_some(several)} of several frames, of which the first is taken")
    pixels, wide = np.empty((len(paths), *shape), dtype=np.uint8), look.wide if look else None
    with ThreadPoolExecutor() as threads:
        read = threads.map(partial(read_picture, shape=shape, resize=size is not None), paths)
        deep = {}
        for row, picture in enumerate(telling(read, len(paths), progress)):
            if picture.dtype == np.uint16:
                deep[row] = picture
            else:
                pixels[row] = picture
    if wide is None and deep:
        wide = any(picture.max() > 255 for picture in deep.values())
    for row, picture in deep.items():
        if not wide and picture.max() > 255:
            raise InputError(f"{paths[row]}: has values up to {picture.max():,}, those of train/ up to 255; save it with 8 bits")
        pixels[row] = picture // 257 if wide else picture
    if deep and not wide:
        notes.append(f"{folder}: pictures of 16 bits with values up to 255 are taken as bytes")
    files = tuple(f"{path.parent.name}/{path.name}" for path in paths)
    return Folder(pixels, np.array([path.parent.name for path in paths]), files, wide, tuple(notes))


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """The pictures of a part, and a note on the files that are none. Raises `InputError`, also if pictures lie elsewhere."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a folder of {folder}/CLASS/*.png; rename it")
    shown = sorted(each for each in folder.glob("*") if each.name[0] != ".")
    below = (each for one in shown for each in (one.rglob("*") if one.is_dir() else [one]))  # also of links to folders
    every = sorted(each for each in below if (each.is_symlink() or not each.is_dir()) and not _hidden(each.relative_to(folder)))
    pictures = [each for each in every if each.suffix.lower() in FORMATS]
    unread = [each for each in every if each.suffix.lower() in UNREAD]
    if unread:
        raise InputError(f"{unread[0]}: is in a format that is not read; save it as JPEG or PNG, or remove it")
    if not pictures:
        raise InputError(f"{folder}: has no pictures; expected {folder}/CLASS/*.png")
    elsewhere = [each for each in pictures if len(each.relative_to(folder).parts) != 2]
    if elsewhere:
        raise InputError(f"{elsewhere[0]}: is not in the folder of a class, expected {folder}/CLASS/*.png; move it or remove it")
    empty = [each for each in shown if each.is_dir() and each.name not in {picture.parent.name for picture in pictures}]
    if empty:
        raise InputError(f"{empty[0]}: has no pictures, and every folder in {folder} is a class; add some or remove it")
    others = [_within(folder, each) for each in every if each.suffix.lower() not in FORMATS]
    return pictures, [f"{folder}: {_some(others)} left out, as no pictures"] if others else []


def _within(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder))


def _hidden(path: Path) -> bool:
    return any(part[0] == "." for part in path.parts)


def _some(names: Sequence[str]) -> str:
    """How many files or folders there are, and the first of them."""
    shown = ", ".join(names[:SHOWN_FILES]) + (", ..." if len(names) > SHOWN_FILES else "")
    return f"{len(names):,} ({shown}) {'is' if len(names) == 1 else 'are'}"


def _shape(folder: Path, paths: Sequence[Path], heads: Sequence[Head], size: int | None) -> tuple[int, ...]:
    """The shape of all pictures. Raises `InputError` if they have different sizes and are not to be resized."""
    colour = any(head.colours for head in heads)
    counted = Counter(head[:2] for head in heads)
    (most, count), *_ = counted.most_common(1)
    if size is None and count < len(paths):
        row = next(row for row, head in enumerate(heads) if head[:2] != most)
        usual = f"{count:,} of the {len(paths):,} pictures in {folder} are {most[1]} by {most[0]} pixels"
        raise InputError(f"{paths[row]}: is {heads[row].width} by {heads[row].height} pixels, but {usual}; give --size {min(most)}")
    height, width = (size, size) if size else most
    return (height, width, 3) if colour else (height, width)


def picture_head(path: Path) -> Head:
    """Raises `InputError`."""
    with _Opened(path) as picture:
        if picture.width * picture.height > MOST_PIXELS:  # known before it is unpacked
            raise ValueError(f"{picture.width} by {picture.height} pixels are too many, expected at most {MOST_PIXELS:,}")
        turned = picture.getexif().get(ORIENTATION) in TURNED
        height, width = (picture.width, picture.height) if turned else (picture.height, picture.width)
        colours = not (picture.mode in WITHOUT_COLOURS or picture.mode.startswith("I"))
        frames = picture.format != "MPO" and getattr(picture, "is_animated", False)  # a phone's second one is a preview
        return Head(height, width, colours, frames)


def read_picture(path: Path, shape: tuple[int, ...], resize: bool) -> np.ndarray:
    """One picture as it is to be seen, of a shape (height, width (, 3)): uint8, or uint16 of one with 16 bits.

    What is transparent becomes white, or black where nothing would be seen on white. Raises `InputError`.
    """
    from PIL import ImageOps

    with _Opened(path) as opened:
        cut_off = ";16" in str(opened.tile) and not opened.mode.startswith("I")  # colours, of which Pillow keeps the upper 8 bits
        picture = ImageOps.exif_transpose(opened)
        if picture.mode == "F":
            raise ValueError("its values are floating-point numbers, expected 8 or 16 bits")
        if cut_off and not np.asarray(picture.convert("RGB")).any():
            raise ValueError("the upper 8 of its 16 bits are 0, expected values up to 65,535 or 8 bits")
        if resize:
            picture = _smooth(picture).resize(shape[1::-1], reducing_gap=3.0)
        if picture.size != shape[1::-1]:
            raise ValueError(f"it is {picture.width} by {picture.height} pixels, expected {shape[1]} by {shape[0]}: give --size")
        if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
            values = np.asarray(picture)
            if not 0 <= values.min() <= values.max() < 2**16:
                raise ValueError(f"its values go from {values.min():,} to {values.max():,}, expected 0 to 65,535")
            wide = values.astype(np.uint16)
            return np.repeat(wide[..., None], 3, axis=2) if len(shape) == 3 else wide
        mode = "RGB" if len(shape) == 3 else "L"
        if not picture.has_transparency_data:
            return np.asarray(picture.convert(mode))
        return _on_ground(picture.convert("RGBA"), mode)


def _smooth(picture: Any) -> Any:
    """A picture in a mode that can be resized smoothly: with a palette Pillow takes the nearest pixel."""
    if picture.mode not in {"P", "1", "PA"}:
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "L" if picture.mode == "1" else "RGB")


def _on_ground(picture: Any, mode: str) -> np.ndarray:
    from PIL import Image

    for ground in ("white", "black"):
        below = Image.new("RGBA", picture.size, ground)
        pixels = np.asarray(Image.alpha_composite(below, picture).convert(mode))
        if pixels.min() < pixels.max():
            break
    return pixels


class _Opened:
    """An open picture; whatever Pillow raises within becomes an `InputError` that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Any:
        from PIL import Image

        logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it has to say of a picture is in its error
        try:
            if self.path.exists() and not self.path.is_file():  # reading a pipe would wait for ever
                raise ValueError("it is not a file")
            with warnings.catch_warnings(action="ignore"):
                self.picture = Image.open(self.path, formats=sorted(set(FORMATS.values())))
        except Exception as error:
            raise self._unreadable(error) from error
        return self.picture

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.picture.close()
        if isinstance(error, Exception):  # Pillow's readers raise a dozen kinds, `MemoryError` and `struct.error` among them
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(f"{self.path}: cannot be read as a picture ({error}); repair or remove it")
