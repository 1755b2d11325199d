"""The target `bench`: the repair beside everything simple, on real and made label noise."""

from functools import partial
from pathlib import Path

from Figure.bench import bench
from Figure.bench_data import MADE_SETS, REAL_SETS, cells, possible
from Figure.lines import Run
from Figure.target import Output, Target
from run.records import Record


def bench_runs(count: int) -> list[Run]:
    """Every cell of the sets that are there."""
    return [
        Run("bench", config._asdict(), partial(bench, config), partial(possible, config.dataset))
        for config in cells((*REAL_SETS, *MADE_SETS), count)
    ]


def show_bench(lines: list[Record], output: Output, _: Path) -> None:
    """The tables and the picture of docs/real-noise.md."""


TARGETS = {"bench": Target("the repair beside everything simple, on real and made label noise", 3, bench_runs, show_bench)}
