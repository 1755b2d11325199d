"""The most harmful pictures with their given and suggested labels: gallery.png of `RDIA.py --result_dir`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from data.matrix import Features
from run.drawing import plain, save_figure, subplots

ROWS, ACROSS = 4, 8
MOST_PICTURES = ROWS * ACROSS
LONGEST_NAME = 7  # characters of a class name
RIGHT, WRONG, UNKNOWN = "#009E73", "#D55E00", "black"


def draw_gallery(
    x: Features, shape: tuple[int, ...], given: Sequence[str], suggested: Sequence[str], true: Sequence[str] | None, path: Path
) -> None:
    """Draw the first 32 pictures, each titled "given -> suggested", in colour if the true labels are known.

    x: (n, d) pixel values; shape: of one picture, (h, w), (h, w, channels) or (channels, h, w), channels 1 or 3.
    """
    count = min(MOST_PICTURES, len(given))
    rows = max(1, -(-count // ACROSS))
    figure, axes = subplots(rows, ACROSS, size=(ACROSS * 1.35, rows * 1.75 + 0.4))
    for place, ax in enumerate(axes.flat):
        ax.axis("off")
        if place >= count:
            continue
        values = x[[place]].toarray() if sp.issparse(x) else x[[place]]
        ax.imshow(as_picture(values.reshape(shape)), cmap="gray", interpolation="nearest")
        text, colour = f"{short(given[place])} → {short(suggested[place])}", UNKNOWN
        if true is not None:
            colour = RIGHT if suggested[place] == true[place] else WRONG
            text += "" if colour == RIGHT else f"\ntrue: {short(true[place])}"
        ax.set_title(plain(text), fontsize=9, color=colour)
    truth = ": green if the suggestion is right" if true is not None else ""
    figure.suptitle(f"The {count} most harmful labels, given → suggested{truth}", fontsize=10)
    save_figure(figure, path)


def short(name: str) -> str:
    """A class name, cut so that two of them fit above a picture."""
    text = " ".join(name.split())
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def as_picture(values: np.ndarray) -> np.ndarray:
    """(h, w) or (h, w, 3), in [0, 1]. values: one picture in any of the shapes of `draw_gallery`."""
    if values.ndim == 3 and values.shape[-1] not in {1, 3}:
        values = np.moveaxis(values, 0, -1)
    values = values.squeeze(-1) if values.ndim == 3 and values.shape[-1] == 1 else values
    low, high = float(values.min()), float(values.max())
    return (values - low) / ((high - low) or 1.0)
