"""Test accuracy against epoch by gamma: the paper's figure 3."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from Figure.band import draw_mean
from Figure.published import FIGURE_3
from run.drawing import save_figure, subplots
from run.records import Record

GAMMA_LOOKS = {0.2: ("#D55E00", "-"), 0.4: ("#0072B2", "--"), 0.6: ("#009E73", "-."), 0.8: ("#CC79A7", ":")}
LOWEST = {0.2: 94, 0.8: 78}  # per cent at the foot of a panel


def draw_gamma(lines: Sequence[Record], rates: Sequence[float], gammas: Sequence[float], path: Path) -> None:
    """A panel a noise rate, a curve a gamma: the mean over seeds, a band of one sample standard deviation, the published end."""
    figure, axes = subplots(1, len(rates), size=(11, 4.5))
    for ax, rate in zip(axes[0], rates, strict=True):
        for gamma in gammas:
            curves = [line["test_accuracy"] for line in lines if (line["noise_rate"], line["gamma"]) == (rate, gamma)]
            if curves:
                _curve_and_end(ax, np.array(curves), rate, gamma)
        ax.set_ylim(LOWEST[rate], 100 if rate < 0.5 else 94)
        ax.set_title(f"{rate:.0%} symmetric noise", fontsize=10)
        ax.set_xlabel("epoch")
        ax.set_ylabel("test accuracy (%)")
        ax.grid(alpha=0.3)
        if ax.lines:
            ax.legend(loc="lower right" if rate < 0.5 else "upper right", fontsize=9, title="gamma", title_fontsize=9)
    figure.suptitle(
        "RDIA-LS on MNIST, balanced warm-up; triangles: approximate ends of the curves in the paper's figure 3", fontsize=11
    )
    save_figure(figure, path)


def _curve_and_end(ax: Any, curves: np.ndarray, rate: float, gamma: float) -> None:
    """Accuracies by epoch, (seeds, epochs), and a triangle at the right where the paper's curve of that gamma ends."""
    colour, dash = GAMMA_LOOKS[gamma]
    label = f"flag {gamma:g} (figure: {1 - gamma:g}), n = {len(curves)}"
    draw_mean(ax, range(curves.shape[1]), list(curves.T), colour, linestyle=dash, label=label)
    ax.plot(curves.shape[1] + 3, FIGURE_3[rate, gamma], marker="<", color=colour, ms=8, clip_on=False)
