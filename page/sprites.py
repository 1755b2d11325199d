"""Pictures as PNG sheets of a hundred: smaller than a file for each, and a page decodes only the sheets that it shows."""

import io
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data.matrix import Features
from run.gallery import as_picture

TILES_ACROSS = 10  # pictures in a row of a sheet
SHEET = TILES_ACROSS * TILES_ACROSS
LARGEST_TILE = 64  # pixels of the longer side; larger pictures are scaled down
BUDGET = 1_800_000  # bytes of all sheets together


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
    """Height and width, scaled down so that the longer side is at most `LARGEST_TILE`."""
    factor = min(1.0, LARGEST_TILE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def encoded(pictures: np.ndarray, height: int, width: int) -> bytes:
    """One sheet as PNG. pictures: (n, ...) values; black is the smallest value of each picture, white its largest."""
    from PIL import Image

    tiles = [Image.fromarray(np.round(255 * as_picture(values)).astype(np.uint8)) for values in pictures]
    sheet = Image.new(tiles[0].mode, (TILES_ACROSS * width, -(-len(tiles) // TILES_ACROSS) * height))
    for place, tile in enumerate(tiles):
        small = tile if tile.size == (width, height) else tile.resize((width, height), Image.Resampling.BOX)
        sheet.paste(small, (place % TILES_ACROSS * width, place // TILES_ACROSS * height))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()
