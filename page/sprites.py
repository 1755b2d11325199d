"""Pictures as PNG sheets of a hundred: smaller than a file for each, and a page decodes only the sheets that it shows."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data.errors import InputError
from data.matrix import Features
from data.pictures import picture_head, read_picture
from run.gallery import as_picture

TILES_ACROSS = 10  # pictures in a row of a sheet
SHEET = TILES_ACROSS * TILES_ACROSS
LARGEST_TILE = 64  # pixels of the longer side; larger pictures are scaled down
BUDGET = 1_600_000  # bytes of all sheets together


class Sprites(NamedTuple):
    """Picture i is on sheet i // SHEET, there in row i % SHEET // TILES_ACROSS and column i % TILES_ACROSS."""

    sheets: list[bytes]  # PNG
    height: int  # of one picture, pixels
    width: int
    held: int  # pictures


def sprites(x: Features, rows: np.ndarray, shape: tuple[int, ...], budget: int = BUDGET) -> Sprites:
    """The pictures in these rows of x, in this order, on as many sheets as fit into `budget` bytes.

    x: (n, d) pixel values; shape: of one picture, as in `run.gallery.as_picture`.
    """

    def pictures(start: int) -> np.ndarray:
        part = x[rows[start : start + SHEET]]
        return (part.toarray() if sp.issparse(part) else part).reshape(-1, *shape)

    return fitting(len(rows), pictures, scaled(as_picture(np.zeros(shape)).shape[:2]), budget)


def file_sprites(paths: Sequence[Path], budget: int = BUDGET) -> Sprites:
    """The same of picture files of any size: squares, and an empty one for a file that is no picture. None if the first is none."""

    def pictures(start: int) -> np.ndarray:
        return np.array([thumbnail(path) for path in paths[start : start + SHEET]])

    if not paths or not thumbnail(paths[0]).any():
        return Sprites([], 0, 0, 0)
    return fitting(len(paths), pictures, (LARGEST_TILE, LARGEST_TILE), budget)


def thumbnail(path: Path) -> np.ndarray:
    """A picture file as a square of `LARGEST_TILE` pixels, on a ground of zeros: zeros alone if it cannot be read. (h, w, 3)"""
    tile = np.zeros((LARGEST_TILE, LARGEST_TILE, 3), dtype=np.uint8)
    try:
        head = picture_head(path)
        height, width = scaled((head.height, head.width))
        tile[:height, :width] = read_picture(path, (height, width, 3), resize=True)
    except InputError:
        pass
    return tile


def fitting(count: int, pictures: Callable[[int], np.ndarray], size: tuple[int, int], budget: int) -> Sprites:
    """Sheets of pictures until they take `budget` bytes. pictures: gives those of the sheet that begins with a number."""
    sheets: list[bytes] = []
    for start in range(0, count, SHEET):
        sheet = encoded(pictures(start), *size)
        if sum(map(len, sheets)) + len(sheet) > budget:
            break
        sheets.append(sheet)
    return Sprites(sheets, *size, min(count, len(sheets) * SHEET))


def scaled(size: tuple[int, ...]) -> tuple[int, int]:
    """Height and width, scaled down so that the longer side is at most `LARGEST_TILE`."""
    factor = min(1.0, LARGEST_TILE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def encoded(pictures: np.ndarray, height: int, width: int) -> bytes:
    """One sheet as PNG. pictures: (n, ...) bytes as they are, or values: black is the smallest of each, white the largest."""
    from PIL import Image

    seen = pictures if pictures.dtype == np.uint8 else (np.round(255 * as_picture(values)).astype(np.uint8) for values in pictures)
    tiles = [Image.fromarray(values) for values in seen]
    sheet = Image.new(tiles[0].mode, (TILES_ACROSS * width, -(-len(tiles) // TILES_ACROSS) * height))
    for place, tile in enumerate(tiles):
        small = tile if tile.size == (width, height) else tile.resize((width, height), Image.Resampling.BOX)
        sheet.paste(small, (place % TILES_ACROSS * width, place // TILES_ACROSS * height))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()
