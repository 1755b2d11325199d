"""A curve with a band: how figures show numbers of several seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def draw_mean(ax: Any, places: Sequence[float], values: Sequence[Sequence[float] | np.ndarray], colour: str, **look: Any) -> None:
    """The mean at each place, and a band of one sample standard deviation (n - 1) to each side; no band about a single value.

    places: (m,). values: one list for each place, with one number a seed; a place whose list is empty is left out.
    look: of the line, as `Axes.plot` takes it.
    """
    there = [(place, given) for place, given in zip(places, values, strict=True) if len(given)]
    x, mean = [place for place, _ in there], np.array([np.mean(given) for _, given in there])
    sd = np.array([np.std(given, ddof=1) if len(given) > 1 else 0.0 for _, given in there])
    ax.plot(x, mean, color=colour, lw=1.5, **look)
    if sd.any():
        ax.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
