"""The method's picture, drawn anew: RDIA by influence above, RDIA-LS by loss below."""

from pathlib import Path
from typing import Any

from run.drawing import save_figure, subplots

BLUE, GREEN, ORANGE, RED, GREY = "#CFE3F3", "#CDEBDD", "#FBE3C0", "#F6D3C4", "#EEEEEE"


def box(ax: Any, x: float, y: float, text: str, colour: str, width: float = 1.7, height: float = 0.9) -> None:
    """A box of text about (x, y)."""
    from matplotlib.patches import FancyBboxPatch

    corner, shape = (x - width / 2, y - height / 2), "round,pad=0.02,rounding_size=0.08"
    ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle=shape, facecolor=colour, edgecolor="0.35", linewidth=1))
    ax.text(x, y, text, ha="center", va="center", fontsize=9.5, linespacing=1.35)


def arrow(ax: Any, start: tuple[float, float], end: tuple[float, float], text: str = "") -> None:
    """An arrow with a word above it."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "0.25", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0})
    if text:
        ax.text((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.1, text, ha="center", va="bottom", fontsize=8.5)


def draw_framework(path: Path) -> None:
    """Two rows: from noisy labels to the model, by influence and by loss."""
    figure, ((ax,),) = subplots(1, 1, size=(11, 5.6))
    ax.set_xlim(0, 11)
    ax.set_ylim(0, 5.9)
    ax.axis("off")
    ax.text(0.1, 5.65, "RDIA, by influence", fontsize=11, fontweight="bold", va="center")
    box(ax, 1.0, 4.6, "training set D\nlabels partly wrong", GREY)
    box(ax, 3.4, 4.6, "fit on all of D\n$\\theta$", BLUE)
    box(ax, 5.9, 4.6, "influence of each label\n" + r"$\Phi_i=-\nabla\ell_Q^{T}H^{-1}\nabla\ell(z_i)$", BLUE, width=2.3)
    box(ax, 8.5, 5.05, "$\\Phi_i>\\alpha$: harmful\nrelabel by R", RED, height=0.75)
    box(ax, 8.5, 4.15, "else: keep", GREEN, height=0.75)
    box(ax, 10.2, 4.6, "fit\nagain", BLUE, width=1.1)
    box(ax, 5.9, 3.3, "validation set Q\nfew clean labels", GREEN, width=2.3, height=0.7)
    arrow(ax, (1.85, 4.6), (2.55, 4.6))
    arrow(ax, (4.25, 4.6), (4.75, 4.6))
    arrow(ax, (7.05, 4.7), (7.65, 5.0))
    arrow(ax, (7.05, 4.5), (7.65, 4.2))
    arrow(ax, (9.35, 5.0), (9.65, 4.75))
    arrow(ax, (9.35, 4.2), (9.65, 4.45))
    arrow(ax, (5.9, 3.65), (5.9, 4.15))
    ax.plot([0.1, 10.9], [2.75, 2.75], color="0.8", linewidth=1)
    ax.text(0.1, 2.5, "RDIA-LS, by loss, in every batch", fontsize=11, fontweight="bold", va="center")
    box(ax, 1.0, 1.3, "batch of 128\nlabels partly wrong", GREY)
    box(ax, 3.4, 1.3, "sort by\ncross-entropy", BLUE)
    box(ax, 6.1, 2.1, "smallest losses: clean\n$\\ell=-\\ln\\phi_m$", GREEN, width=2.5, height=0.7)
    box(ax, 6.1, 1.25, "between: relabel by R\n$\\ell=-\\ln(1-\\phi_m)$", RED, width=2.5, height=0.7)
    box(ax, 6.1, 0.4, "largest losses: discard", ORANGE, width=2.5, height=0.6)
    box(ax, 9.6, 1.6, "step against the gradient of\n$\\gamma\\,\\ell_{clean}+(1-\\gamma)\\,\\ell_{relabeled}$", BLUE, width=2.6)
    arrow(ax, (1.85, 1.3), (2.55, 1.3))
    arrow(ax, (4.25, 1.4), (4.85, 2.0))
    arrow(ax, (4.25, 1.3), (4.85, 1.2))
    arrow(ax, (4.25, 1.2), (4.85, 0.45))
    arrow(ax, (7.35, 2.05), (8.3, 1.75), "$\\gamma$")
    arrow(ax, (7.35, 1.2), (8.3, 1.5))
    ax.text(7.95, 1.08, "$1-\\gamma$", fontsize=8.5)
    save_figure(figure, path)
