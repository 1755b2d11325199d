"""The table and the picture of growth, from lines whose growth is known."""

from pathlib import Path

import pytest

from run.records import Record
from tests.benchmarks.growth_plot import ROWS_EACH, SIZES, draw_growth, exponent, growth_table, of, weak_scaling


def line(rows: int, mode: str, fit: float, influence: float, seed: int = 0) -> Record:
    seconds = {"load": 1.0, "fit": fit, "influence": influence}
    config = {"rows": rows, "mode": mode, "seed": seed}
    return {"config": config, "seconds": seconds, "cpu": seconds, "peak": rows**0.5, "peaks": [50.0] if mode[:4] == "dask" else []}


def test_the_exponent_is_that_of_the_power_and_repeats_are_left_out() -> None:
    lines = [line(rows, "disk", 1e-6 * rows**1.1, 2e-6 * rows**0.9) for rows in reversed(SIZES)]
    lines.append(line(SIZES[0], "disk", 99.0, 99.0, seed=1))
    mine = of(lines, "disk")
    assert [one["config"]["rows"] for one in mine] == list(SIZES)
    assert exponent(mine, lambda one: one["cpu"]["fit"]) == pytest.approx(1.1)
    assert "| --block_rows 100000 | **exponent** |  |  |  | **1.10** | **0.90** | **0.50** |  |" in growth_table(lines)


def test_weak_scaling_is_of_the_best_repeats() -> None:
    each, more = ROWS_EACH
    lines = [line(each, "dask1", fit, 1.0, seed) for seed, fit in enumerate((5.0, 4.0, 6.0))]
    assert weak_scaling(lines) == ""
    lines += [line(2 * each, "dask2", fit, 1.25, seed) for seed, fit in enumerate((5.0, 9.0, 9.0))]
    gain = f"two workers do 1.60 with {each:,} rows a worker (1.60 by CPU time, the best of 3)"
    assert f"{gain} times the rows a second of one." in weak_scaling(lines)
    lines += [line(more, "dask1", 10.0, 2.0), line(2 * more, "dask2", 14.0, 2.0)]
    assert f"{gain}, 1.50 with {more:,}" in weak_scaling(lines)
    for processes, seconds in enumerate((1.0, 1.25), 1):
        config = {"rows": processes * each, "mode": f"apart{processes}", "seed": 0}
        lines.append({"config": config, "seconds": {"product": seconds}})
    assert "send nothing do 1.60 times the Hessian-vector products of one." in weak_scaling(lines)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw_growth([line(rows, mode, 1.0, 2.0) for rows in SIZES for mode in ("memory", "dask2")], tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
