"""Simulated reviewers: test log-loss of a repair against the number of labels that were checked, by the order of the looks."""

import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from Figure.bench_data import CellConfig, make_cell, possible
from Figure.bench_methods import log_losses
from Figure.lines import Run
from Figure.tables import markdown, seeds
from Figure.target import Output, Target
from models.pool import entropy
from models.repair import RepairData, Repaired, repair
from run.drawing import save_figure, subplots
from run.records import Record

LOOKS = (25, 50, 100, 200)
SETS = (("semeval", "real"), ("music", "real"), ("digits10", "dependent"))
TRUSTED_ROWS = 100
RELIABLE = (1.0, 0.9)  # probability that a reviewer sets the true label; else another one
# Colour and marker of each order.
ORDERS = {
    "least certain": ("#D55E00", "*"),
    "most surely wrong": ("#0072B2", "s"),
    "largest Phi": ("#E69F00", "D"),
    "least self-confidence": ("#009E73", "o"),
    "random": ("#999999", "x"),
}


class LooksConfig(NamedTuple):
    """What the numbers of a run depend on."""

    dataset: str
    noise: str
    order: str  # one of `ORDERS`
    reliable: float
    seed: int


def priorities(repaired: Repaired, order: str, rng: np.random.Generator) -> np.ndarray:
    """The rows in the order of the looks, (n,)."""
    if order == "random":
        return rng.permutation(len(repaired.p_wrong))
    score = {
        "least certain": entropy(repaired.labels),
        "most surely wrong": repaired.p_wrong,
        "largest Phi": repaired.phi,
        "least self-confidence": -repaired.self_confidence,
    }[order]
    return np.argsort(-score, kind="stable")


def said_labels(true: np.ndarray, classes: int, reliable: float, rng: np.random.Generator) -> np.ndarray:
    """The label that a reviewer would set for each row, (n,)."""
    other = (true + rng.integers(1, classes, len(true))) % classes
    return np.where(rng.random(len(true)) < reliable, true, other)


def after_looks(data: RepairData, said: np.ndarray, rows: np.ndarray) -> RepairData:
    """The data once these rows (indices) are checked. said: (n,) labels of the reviewer."""
    checked = np.isin(np.arange(len(said)), rows)
    return data._replace(given=np.where(checked, said, data.given), checked=checked, before=data.given)


def look(config: LooksConfig, data_dir: Path) -> Record:
    """Test log-loss before any look and after each number of `LOOKS`: the page is ordered once, and the repair made anew."""
    before = time.process_time()
    cell = make_cell(CellConfig(config.dataset, config.noise, TRUSTED_ROWS, config.seed), data_dir)
    first = repair(cell.data, np.random.default_rng([config.seed, 1]))
    order = priorities(first, config.order, np.random.default_rng([config.seed, 2]))
    said = said_labels(cell.true, cell.data.classes, config.reliable, np.random.default_rng([config.seed, 3]))
    fits = [first, *(repair(after_looks(cell.data, said, order[:n]), np.random.default_rng([config.seed, 1])) for n in LOOKS)]
    losses = [round(float(log_losses(cell.x_test @ fit.weights.T, cell.test).mean()), 5) for fit in fits]
    wrong = cell.data.given != cell.true
    found = [int(wrong[order[:n]].sum()) for n in LOOKS]
    return {"losses": losses, "found": found, "wrong": int(wrong.sum()), "seconds": time.process_time() - before}


def looks_runs(count: int) -> list[Run]:
    """Every set, order and reviewer."""
    configs = [
        LooksConfig(*which, order, reliable, seed)
        for seed in range(1, count + 1)
        for reliable in RELIABLE
        for which in SETS
        for order in ORDERS
    ]
    return [Run("looks", each._asdict(), partial(look, each), partial(possible, each.dataset)) for each in configs]


def show_looks(lines: list[Record], output: Output, _: Path) -> None:
    """The table and the picture of docs/repair.md."""
    head = ["set", "reviewer is right", "order", "before", *(f"{n} looks" for n in LOOKS), f"wrong among the first {LOOKS[-1]}"]
    rows = []
    for (dataset, _noise), reliable in ((which, reliable) for which in SETS for reliable in RELIABLE):
        every = {order: lines_of(lines, dataset, reliable, order) for order in ORDERS}
        losses = {order: np.mean([line["losses"] for line in some], axis=0) for order, some in every.items() if some}
        least = np.min(list(losses.values()), axis=0) if losses else []
        for order, each in losses.items():
            cells = [
                f"**{loss:.3f}**" if loss == best and n else f"{loss:.3f}"
                for n, (loss, best) in enumerate(zip(each, least, strict=True))
            ]
            found = np.mean([line["found"][-1] for line in every[order]])
            rows.append([dataset, f"{reliable:.0%}", order, *cells, f"{found:.0f}"])
    output.table("looks", f"Means of {seeds(lines)}.\n\n{markdown(head, rows)}")
    draw_looks(lines, output.picture("looks"))


def lines_of(lines: list[Record], dataset: str, reliable: float, order: str) -> list[Record]:
    """The lines of one cell, a line a seed."""
    cell = {"dataset": dataset, "reliable": reliable, "order": order}
    return [line for line in lines if cell.items() <= line["config"].items()]


def draw_looks(lines: list[Record], path: Path) -> None:
    """A panel a set, a curve an order: the mean over seeds, of the reviewer who is always right."""
    figure, axes = subplots(1, len(SETS), size=(11, 4.2))
    for ax, (dataset, noise) in zip(axes[0], SETS, strict=True):
        for order, (colour, marker) in ORDERS.items():
            some = lines_of(lines, dataset, 1.0, order)
            if some:
                ax.plot((0, *LOOKS), np.mean([line["losses"] for line in some], axis=0), color=colour, marker=marker, label=order)
        ax.set_title(f"{dataset}, {noise} noise", fontsize=10)
        ax.set_xlabel("labels that were looked at")
        ax.set_ylabel("test log-loss of Repaired (nats)")
        ax.grid(alpha=0.3)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5, fontsize=9)
    save_figure(figure, path)


TARGETS = {"looks": Target("what a person's looks bring, by their order", 3, looks_runs, show_looks)}
