"""The target `promise`: how many listed labels are right, over many seeds, and whether the count of wrong labels holds."""

import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from Figure.bench import LEVELS
from Figure.bench_data import MADE_SETS, CellConfig, make_cell, noises, possible
from Figure.lines import Run
from Figure.tables import markdown
from Figure.target import Output, Target
from models.repair import repair
from run.records import Record

BLOCK = 20  # seeds of a run
PROMISE_TRUSTED = 100


class PromiseConfig(NamedTuple):
    """What the numbers of a run depend on."""

    dataset: str
    noise: str
    seed: int  # the first of `BLOCK` seeds


def keep_promise(config: PromiseConfig, data_dir: Path) -> Record:
    """Of each seed: for each level how many labels are listed and how many of these are wrong; and whether the count holds."""
    before, lists, wrong, covered = time.process_time(), {str(q): list[list[int]]() for q in LEVELS}, list[int](), 0
    for seed in range(config.seed, config.seed + BLOCK):
        cell = make_cell(CellConfig(config.dataset, config.noise, PROMISE_TRUSTED, seed), data_dir)
        found, is_wrong = repair(cell.data, np.random.default_rng([seed, 1])), cell.data.given != cell.true
        for q in LEVELS:
            listed = found.suspects(q)
            lists[str(q)].append([int(listed.sum()), int((listed & is_wrong).sum())])
        wrong.append(int(is_wrong.sum()))
        count = found.wrong_labels(cell.data)
        covered += int(count.low <= wrong[-1] <= count.high)
    return {"lists": lists, "wrong": wrong, "covered": covered, "seconds": time.process_time() - before}


def promise_runs(count: int) -> list[Run]:
    """Every set and kind of noise, in blocks of seeds. count: of blocks."""
    configs = [
        PromiseConfig(dataset, noise, 1 + BLOCK * block)
        for block in range(count)
        for dataset in MADE_SETS
        for noise in noises(dataset)
    ]
    return [Run("promise", each._asdict(), partial(keep_promise, each), partial(possible, each.dataset)) for each in configs]


def show_promise(lines: list[Record], output: Output, _: Path) -> None:
    """The table of docs/real-noise.md: a row a kind of noise, and one for all."""
    kinds = sorted({line["config"]["noise"] for line in lines})
    rows = [promise_row(kind, [line for line in lines if line["config"]["noise"] == kind]) for kind in kinds]
    head = ["noise", "sets", "runs", *(f"right, q = {q:g}" for q in LEVELS), *(f"found, q = {q:g}" for q in LEVELS), "count holds"]
    output.table("promise", markdown(head, [*rows, promise_row("all", lines)] if lines else []))


def promise_row(name: str, lines: list[Record]) -> list[str]:
    """Mean share of right labels among the listed with its standard error, share of the wrong that are listed, and the count."""
    wrong = np.concatenate([line["wrong"] for line in lines])
    right, power = list[str](), list[str]()
    for q in LEVELS:
        listed, hits = np.concatenate([line["lists"][str(q)] for line in lines]).T
        share = 1.0 - hits / np.maximum(listed, 1) - (listed == 0)  # of an empty list none is right
        right.append(f"{share.mean():.3f} ± {share.std(ddof=1) / np.sqrt(len(share)):.3f}")
        power.append(f"{(hits / np.maximum(wrong, 1)).mean():.2f}")
    datasets = {line["config"]["dataset"] for line in lines}
    return [name, str(len(datasets)), str(len(wrong)), *right, *power, f"{sum(line['covered'] for line in lines) / len(wrong):.0%}"]


TARGETS = {
    "promise": Target("how far the promise about suspects and the count of wrong labels hold", 3, promise_runs, show_promise)
}
