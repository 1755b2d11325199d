"""Seconds and memory against the number of rows, as a picture and a table."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from Figure.picture import save, subplots
from Figure.results import Record
from Figure.tables import markdown

SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
# One worker with so many rows, and two with twice as many, several times.
ROWS_EACH, REPEATS = 500_000, 3
WEAK = {"dask1": ROWS_EACH, "dask2": 2 * ROWS_EACH}
# Okabe and Ito's colours, with a marker each.
MODES = {
    "memory": ("in memory", "#000000", "o"),
    "disk": ("--block_rows 100000", "#D55E00", "s"),
    "dask1": ("one Dask worker", "#56B4E9", "^"),
    "dask2": ("two Dask workers", "#009E73", "v"),
}
PANELS: dict[str, Callable[[Record], float]] = {
    "fit, CPU seconds": lambda line: line["cpu"]["fit"],
    "influence, CPU seconds": lambda line: line["cpu"]["influence"],
    "peak memory of the largest process, MiB": lambda line: max([line["peak"], *line["peaks"]]),
}


def draw_growth(lines: Sequence[Record], path: Path) -> None:
    """A panel for each of `PANELS`, both axes logarithmic, a curve a mode with its exponent."""
    figure, axes = subplots(1, len(PANELS), size=(13, 4.5))
    for ax, (name, value) in zip(axes[0], PANELS.items(), strict=True):
        for mode, (text, colour, marker) in MODES.items():
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
    save(figure, path)


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
    for mode, (text, _, _) in MODES.items():
        mine = of(lines, mode)
        rows += [[text, f"{line['config']['rows']:,}", *_cells(line)] for line in mine]
        if len(mine) > 1:
            fit, influence, memory = (f"**{exponent(mine, value):.2f}**" for value in PANELS.values())
            peaks = ["", memory] if mine[0]["peaks"] else [memory, ""]
            rows.append([text, "**exponent**", "", "", "", fit, influence, *peaks])
    return f"{markdown(head, rows)}\n\n{weak_scaling(lines)}"


def weak_scaling(lines: Sequence[Record]) -> str:
    """The rows a second of two workers over those of one, at the same rows for each."""
    kept = {mode: [line for line in lines if _is(line, mode, rows)] for mode, rows in WEAK.items()}
    if not all(kept.values()):
        return ""
    speeds = {}
    for clock in ("seconds", "cpu"):
        one, two = (min(line[clock]["fit"] + line[clock]["influence"] for line in kept[mode]) for mode in WEAK)
        speeds[clock] = 2 * one / two
    return (
        f"Weak scaling, fit and influence, {ROWS_EACH:,} rows a worker, the best of {min(map(len, kept.values()))}: two workers do"
        f" {speeds['seconds']:.2f} times the rows a second of one by the clock, {speeds['cpu']:.2f} times by CPU time."
    )


def _is(line: Record, mode: str, rows: int) -> bool:
    return line["config"]["mode"] == mode and line["config"]["rows"] == rows


def _cells(line: Record) -> list[str]:
    """The numbers of a line."""
    seconds = [f"{line['seconds'][stage]:.1f}" for stage in ("load", "fit", "influence")]
    cpu = [f"{line['cpu'][stage]:.1f}" for stage in ("fit", "influence")]
    return [*seconds, *cpu, f"{line['peak']:,.0f}", f"{max(line['peaks']):,.0f}" if line["peaks"] else ""]
