"""Seconds and memory against the number of rows, as a picture and a table."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from Figure.tables import markdown
from run.drawing import save_figure, subplots
from run.records import Record

SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
# One worker with so many rows, and two with twice as many, so many times; and one process and two that share nothing.
WEAK_REPEATS = {500_000: 3, 3_000_000: 1}
ROWS_EACH = tuple(WEAK_REPEATS)
WEAK, APART = ("dask1", "dask2"), ("apart1", "apart2")
# Okabe and Ito's colours, with a marker each.
GROWTH_MODES = {
    "memory": ("in memory", "#000000", "o"),
    "disk": ("--block_rows 100000", "#D55E00", "s"),
    "dask1": ("one Dask worker", "#56B4E9", "^"),
    "dask2": ("two Dask workers", "#009E73", "v"),
    "disk5": ("--block_rows 100000, five classes", "#CC79A7", "P"),
}
MANY, MANY_CLASSES, MANY_MOST = "disk5", 5, 3_000_000  # the mode with more classes, and its largest file
PANELS: dict[str, Callable[[Record], float]] = {
    "fit, CPU seconds": lambda line: line["cpu"]["fit"],
    "influence, CPU seconds": lambda line: line["cpu"]["influence"],
    "peak memory of the largest process, MiB": lambda line: max([line["peak"], *line["peaks"]]),
}


def draw_growth(lines: Sequence[Record], path: Path) -> None:
    """A panel for each of `PANELS`, both axes logarithmic, a curve a mode with its exponent."""
    figure, axes = subplots(1, len(PANELS), size=(13, 4.5))
    for ax, (name, value) in zip(axes[0], PANELS.items(), strict=True):
        for mode, (text, colour, marker) in GROWTH_MODES.items():
            mine = of(lines, mode)
            if len(mine) > 1:
                rows = [line["config"]["rows"] for line in mine]
                label = f"{text}: $n^{{{exponent(mine, value):.2f}}}$"
                ax.plot(rows, [value(line) for line in mine], color=colour, marker=marker, label=label)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("rows of the file")
        ax.set_title(name, fontsize=10)
        ax.grid(alpha=0.3, which="both")
        ax.legend(fontsize=8)
    save_figure(figure, path)


def of(lines: Sequence[Record], mode: str) -> list[Record]:
    """The lines of a mode, one for each of `SIZES` there is, by rows."""
    mine = {line["config"]["rows"]: line for line in lines if line["config"]["mode"] == mode and line["config"]["seed"] == 0}
    return [mine[rows] for rows in SIZES if rows in mine]


def exponent(lines: Sequence[Record], value: Callable[[Record], float]) -> float:
    """e of the least-squares fit value ~ rows^e."""
    return float(np.polyfit(np.log([line["config"]["rows"] for line in lines]), np.log([value(line) for line in lines]), 1)[0])


def growth_table(lines: Sequence[Record]) -> str:
    """A row for each mode and number of rows, the exponents, and what a second worker is worth."""
    head = ["where", "rows", "load, s", "fit, s", "influence, s", "fit, CPU s", "influence, CPU s", "peak, MiB", "a worker's, MiB"]
    rows = []
    for mode, (text, _, _) in GROWTH_MODES.items():
        mine = of(lines, mode)
        rows += [[text, f"{line['config']['rows']:,}", *_cells(line)] for line in mine]
        if len(mine) > 1:
            fit, influence, memory = (f"**{exponent(mine, value):.2f}**" for value in PANELS.values())
            peaks = ["", memory] if mine[0]["peaks"] else [memory, ""]
            rows.append([text, "**exponent**", "", "", "", fit, influence, *peaks])
    return f"{markdown(head, rows)}\n\n{weak_scaling(lines)}"


def weak_scaling(lines: Sequence[Record]) -> str:
    """The rows a second of two workers over those of one, at the same rows for each; and how far two processes can get here."""
    found = []
    for each in ROWS_EACH:
        clock, cpu = (_gain(lines, WEAK, each, partial(_busy, clock=clock)) for clock in ("seconds", "cpu"))
        if clock and cpu:
            found.append(f"{clock:.2f} with {each:,} rows a worker ({cpu:.2f} by CPU time, the best of {WEAK_REPEATS[each]})")
    if not found:
        return ""
    text = f"Weak scaling, fit and influence: two workers do {', '.join(found)} times the rows a second of one."
    bound = _gain(lines, APART, ROWS_EACH[0], lambda line: line["seconds"]["product"])
    return f"{text} Two processes that send nothing do {bound:.2f} times the Hessian-vector products of one." if bound else text


def _gain(lines: Sequence[Record], modes: tuple[str, str], each: int, seconds: Callable[[Record], float]) -> float | None:
    """Twice the least seconds of one process over those of two; None if a run is not there."""
    kept = [[seconds(line) for line in lines if _is(line, mode, each * (1 + place))] for place, mode in enumerate(modes)]
    return 2 * min(kept[0]) / min(kept[1]) if all(kept) else None


def _busy(line: Record, clock: str) -> float:
    return line[clock]["fit"] + line[clock]["influence"]


def _is(line: Record, mode: str, rows: int) -> bool:
    return line["config"]["mode"] == mode and line["config"]["rows"] == rows


def _cells(line: Record) -> list[str]:
    """The numbers of a line."""
    seconds = [f"{line['seconds'][stage]:.1f}" for stage in ("load", "fit", "influence")]
    cpu = [f"{line['cpu'][stage]:.1f}" for stage in ("fit", "influence")]
    return [*seconds, *cpu, f"{line['peak']:,.0f}", f"{max(line['peaks']):,.0f}" if line["peaks"] else ""]
