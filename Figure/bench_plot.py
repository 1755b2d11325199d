"""Test log-loss against the number of trusted rows, a line a method."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from Figure.bench_data import TRUSTED
from Figure.bench_tables import COLUMNS
from Figure.tables import seeds
from run.drawing import save_figure, subplots
from run.records import Record

# Okabe and Ito's colours; a marker and a dash of its own each.
BENCH_LOOKS = {
    "Repaired": ("#D55E00", "*", "-"),
    "ERM": ("#000000", "o", "-"),
    "Trusted": ("#999999", "x", "-"),
    "ERM + Trusted": ("#0072B2", "s", "-"),
    "Trusted x10": ("#0072B2", "^", "--"),
    "Agree": ("#999999", "v", ":"),
    "Dropout": ("#56B4E9", "s", "-"),
    "Dropout + Trusted": ("#56B4E9", "^", "--"),
    "UIDS": ("#CC79A7", "P", "--"),
    "RDIA, paper": ("#E69F00", "D", "-"),
    "Auto": ("#E69F00", "<", "--"),
    "CleanLearning": ("#009E73", "o", "-"),
    "CleanLearning + Trusted": ("#009E73", "^", "--"),
}


def mean_losses(lines: Sequence[Record], method: str) -> list[tuple[int, float]]:
    """Numbers of trusted rows at which the method ran, each with its mean test log-loss."""
    losses = {
        m: [line["methods"][method]["log_loss"] for line in lines if line["config"]["trusted"] == m and method in line["methods"]]
        for m in TRUSTED
    }
    return [(m, float(np.mean(each))) for m, each in losses.items() if each]


def draw_bench(lines: Sequence[Record], datasets: Sequence[str], path: Path) -> None:
    """A panel a data set, a curve a method: the mean over seeds. Thirteen bands would hide each other: there are none."""
    from matplotlib.ticker import LogLocator, NullLocator

    figure, axes = subplots(1, len(datasets), size=(11, 5.5))
    for ax, dataset in zip(axes[0], datasets, strict=True):
        mine = [line for line in lines if line["config"]["dataset"] == dataset]
        for method in COLUMNS:
            points = mean_losses(mine, method)
            if points:
                colour, marker, dash = BENCH_LOOKS[method]
                look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dash}
                ax.plot(*zip(*points, strict=True), lw=1.5, ms=6, label=method, **look)
        ax.set_title(f"{dataset}, {seeds(mine)}", fontsize=10)
        ax.set_xscale("log")
        ax.set_xticks(TRUSTED, [str(m) for m in TRUSTED])
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        ax.yaxis.set_major_formatter("{x:g}")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_locator(NullLocator())
        ax.set_xlabel("trusted rows")
        ax.set_ylabel("test log-loss (nats)")
        ax.grid(alpha=0.3)
    named = {name: handle for ax in axes.flat for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=5, fontsize=9)
    figure.suptitle("Real label noise: the repair beside what one would do otherwise", fontsize=11)
    save_figure(figure, path)
