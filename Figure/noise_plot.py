"""Test log-loss against noise rate, all methods on logistic regression."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from Figure.band import draw_mean
from Figure.compare import COMPARED
from Figure.published import MNIST_ALPHA
from Figure.tables import seeds
from run.drawing import save_figure, subplots
from run.records import Record

# Okabe and Ito's colours, told apart by the colour-blind; a marker and a dash of its own each.
METHOD_LOOKS = {
    "ERM": ("#000000", "o", "-"),
    "Random": ("#999999", "x", "-"),
    "subsample": ("#F0E442", "v", "--"),
    "OptLR": ("#E69F00", "^", ":"),
    "Dropout": ("#56B4E9", "s", "-"),
    "UIDS linear": ("#009E73", "D", "--"),
    "UIDS sigmoid": ("#CC79A7", "P", "--"),
    "RDIA": ("#D55E00", "*", "-"),
}


def draw_noise(lines: Sequence[Record], datasets: Sequence[str], noises: Sequence[float], path: Path) -> None:
    """A panel a data set, a curve a method: the mean over seeds, and a band of one sample standard deviation."""
    from matplotlib.ticker import LogLocator, NullLocator

    figure, axes = subplots(2, 2, size=(10, 8))
    for ax, dataset in zip(axes.flat, datasets, strict=True):
        mine = [line for line in lines if line["config"]["dataset"] == dataset]
        if not mine:
            ax.set_title(f"{dataset}: not there", fontsize=10)
            ax.axis("off")
            continue
        for method in COMPARED:
            _curve(ax, mine, method, noises)
        if dataset == "mnist":
            _published(ax)
        ax.set_title(f"{dataset}, {seeds(mine)}", fontsize=10)
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
        ax.set_xlabel("share of training labels flipped")
        ax.set_ylabel("test log-loss (nats)")
        ax.grid(alpha=0.3, which="both")
    named = {name: handle for ax in axes.flat for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=5, fontsize=9)
    figure.suptitle("Logistic regression on noisy labels, C = 0.1, alpha of RDIA by validation loss", fontsize=11)
    save_figure(figure, path)


def _curve(ax: Any, lines: Sequence[Record], method: str, noises: Sequence[float]) -> None:
    losses = [
        [line["methods"][method]["test"]["log_loss"] for line in lines if line["config"]["noise"] == noise] for noise in noises
    ]
    colour, marker, dash = METHOD_LOOKS[method]
    draw_mean(ax, noises, losses, colour, marker=marker, linestyle=dash, ms=6, label=method)


def _published(ax: Any) -> None:
    rates = sorted({noise for _, noise in MNIST_ALPHA})
    best = [min(loss for (_, rate), loss in MNIST_ALPHA.items() if rate == noise) for noise in rates]
    ax.plot(rates, best, "o", ms=12, mfc="none", mec="black", label="RDIA, published (best alpha)", zorder=5)
