"""The target `bench`: the repair beside everything simple, on real and made label noise."""

from functools import partial
from pathlib import Path

from Figure.bench import bench
from Figure.bench_data import MADE_SETS, REAL_SETS, cells, possible
from Figure.bench_plot import draw_bench
from Figure.bench_tables import (
    count_table,
    groups,
    lists_table,
    metric_table,
    precision_table,
    rank_table,
    real_table,
    verdict_table,
)
from Figure.lines import Run
from Figure.target import Output, Target
from run.records import Record

DRAWN = ("semeval", "sentiment")  # systematic noise, and that of a crowd


def bench_runs(count: int) -> list[Run]:
    """Every cell of the sets that are there."""
    return [
        Run("bench", config._asdict(), partial(bench, config), partial(possible, config.dataset))
        for config in cells((*REAL_SETS, *MADE_SETS), count)
    ]


def show_bench(lines: list[Record], output: Output, _: Path) -> None:
    """The tables and the picture of docs/real-noise.md."""
    found = groups(lines)
    output.table("bench real", real_table(found))
    output.table("bench verdict", verdict_table(found))
    output.table("bench log-loss", metric_table(found, "log_loss", 3))
    output.table("bench accuracy", metric_table(found, "accuracy", 3, largest=True))
    output.table("bench macro-F1", metric_table(found, "macro_f1", 3, largest=True))
    output.table("bench ranks", rank_table(lines))
    output.table("bench precision", precision_table(found))
    output.table("bench lists", lists_table(lines))
    output.table("bench counts", count_table(lines))
    draw_bench(lines, DRAWN, output.picture("bench"))


TARGETS = {"bench": Target("the repair beside everything simple, on real and made label noise", 3, bench_runs, show_bench)}
