"""The choice of alpha and the histogram of Phi: alpha.png and phi.png of `RDIA.py --result_dir`."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from run.drawing import save_figure, subplots
from run.records import Record

MODE_LOOKS = {
    "R": ("#D55E00", "o", "relabel by R"),
    "best": ("#009E73", "s", "relabel to the best label"),
    "drop": ("#0072B2", "^", "drop"),
}
BINS = 60
FREE = 0.12  # share of half the axis, next to 0, that has no tick besides that at 0


def draw_choice(curve: Sequence[Record], alpha: float, mode: str, path: Path) -> None:
    """Validation loss against the number of changed samples, a curve for each way to change them; a ring marks the choice."""
    figure, ((ax,),) = subplots(1, 1, size=(7, 4))
    for name, (colour, marker, label) in MODE_LOOKS.items():
        points = [point for point in curve if point["relabel"] == name]
        if points:
            counts, losses = ([point[key] for point in points] for key in ("changed", "loss"))
            ax.plot(counts, losses, color=colour, marker=marker, ms=5, label=label)
    taken = next(point for point in curve if (point["alpha"], point["relabel"]) == (alpha, mode))
    ring = {"ms": 14, "mfc": "none", "mec": "black", "linestyle": "none"}
    ax.plot(taken["changed"], taken["loss"], "o", **ring, label=f"chosen: alpha = {alpha:.3g}, {MODE_LOOKS[mode][2]}")
    ax.set_xlabel("training samples changed, most harmful first")
    ax.set_ylabel("log-loss on the other half\nof the validation rows (nats)")
    ax.set_title("Choice of alpha; 0 changed is ERM", fontsize=10)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    ax.grid(alpha=0.3)
    save_figure(figure, path)


class Bins(NamedTuple):
    """Bins of a histogram of Phi, all of the same width on an axis that is linear near 0 and logarithmic beyond."""

    linear: float  # the axis shows asinh(Phi / linear)
    edges: np.ndarray  # (BINS + 1,)


def bins_of(phi: np.ndarray) -> Bins:
    """Bins that cover every Phi, as many below 0 as above. phi: (n,)."""
    largest = float(np.abs(phi).max(initial=0.0)) or 1.0
    linear = float(np.median(np.abs(phi))) or largest / 100
    ends = np.arcsinh(largest / linear)
    edges = linear * np.sinh(np.linspace(-ends, ends, BINS + 1))
    edges[[0, -1]] = -largest, largest  # exactly, so that the extreme samples are counted
    return Bins(linear, edges)


def ticks_between(low: float, high: float) -> np.ndarray:
    """Powers of ten from low to high; if these are fewer than three, also 2 and 5 times powers of ten."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.floor(np.log10(high)) + 1)
    found = powers[powers >= low]
    if len(found) < 3:
        found = (powers[:, None] * [1.0, 2.0, 5.0]).ravel()
    return found[(found >= low) & (found <= high)]


def draw_phi(phi: np.ndarray, flipped: np.ndarray, alpha: float, path: Path) -> None:
    """Histogram of Phi, with the labels that were flipped on purpose in a colour of their own.

    phi: (n,), flipped: (n,) bool.
    """
    from matplotlib.ticker import NullLocator

    linear, edges = bins_of(phi)
    figure, ((ax,),) = subplots(1, 1, size=(7, 4))
    parts = {"not flipped" if flipped.any() else "training labels": phi[~flipped], "flipped on purpose": phi[flipped]}
    for (name, values), colour in zip(parts.items(), ("#56B4E9", "#D55E00"), strict=True):
        if len(values):
            ax.hist(values, bins=edges.tolist(), color=colour, alpha=0.6, label=f"{name}: {len(values):,}")
    ax.axvline(alpha, color="black", linestyle="--", linewidth=1, label=f"alpha = {alpha:.3g}")
    ax.set_xscale("asinh", linear_width=linear)
    ticks = ticks_between(linear * np.sinh(FREE * np.arcsinh(edges[-1] / linear)), edges[-1])
    ax.set_xticks([*-ticks[::-1], 0.0, *ticks], [f"{tick:g}" for tick in (*-ticks[::-1], 0.0, *ticks)])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("Phi: a label with Phi above 0 is harmful")
    ax.set_ylabel("training samples")
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    ax.grid(alpha=0.3)
    save_figure(figure, path)
