"""Pictures as PNG sheets, a hundred to a sheet: smaller than one file each, and a page decodes only the sheets that it shows."""

import io
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data.matrix import Features
from run.gallery import as_picture

TILES_ACROSS = 10  # pictures in a row of a sheet
SHEET = TILES_ACROSS * TILES_ACROSS
LARGEST_TILE = 64  # pixels, of the longer side; larger pictures are scaled down
BUDGET = 1_800_000  # bytes of PNG in all


class Sprites(NamedTuple):
    """Picture i is on sheet i // SHEET, there in row i % SHEET // TILES_ACROSS and column i % TILES_ACROSS."""

    sheets: list[bytes]  # PNG
    height: int  # of one picture, pixels
    width: int
    held: int  # pictures


def sprites(x: Features, rows: np.ndarray, shape: tuple[int, ...], budget: int = BUDGET) -> Sprites:
    """The pictures in those rows of x, in that order, as many sheets as `budget` bytes hold.

    x: (n, d) values of the pictures, shape: of one, as `run.gallery.as_picture` takes it.
    """
    height, width = scaled(as_picture(np.zeros(shape)).shape[:2])
    sheets: list[bytes] = []
    for start in range(0, len(rows), SHEET):
        part = x[rows[start : start + SHEET]]
        sheet = encoded((part.toarray() if sp.issparse(part) else part).reshape(-1, *shape), height, width)
        if sum(map(len, sheets)) + len(sheet) > budget:
            break
        sheets.append(sheet)
    return Sprites(sheets, height, width, min(len(rows), len(sheets) * SHEET))


def scaled(size: tuple[int, ...]) -> tuple[int, int]:
    """Height and width with a longer side of `LARGEST_TILE` at most."""
    factor = min(1.0, LARGEST_TILE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def encoded(pictures: np.ndarray, height: int, width: int) -> bytes:
    """One sheet. pictures: (n, ...) values, each picture from black for its least value to white for its largest."""
    from PIL import Image

    tiles = [Image.fromarray(np.round(255 * as_picture(values)).astype(np.uint8)) for values in pictures]
    sheet = Image.new(tiles[0].mode, (TILES_ACROSS * width, -(-len(tiles) // TILES_ACROSS) * height))
    for place, tile in enumerate(tiles):
        small = tile if tile.size == (width, height) else tile.resize((width, height), Image.Resampling.BOX)
        sheet.paste(small, (place % TILES_ACROSS * width, place // TILES_ACROSS * height))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()
