"""The target `examined`: labels examined without trusted rows, beside a plain fit and CleanLearning, on real and made noise.

And what a person brings who checks rows that are drawn at random: they are trusted rows then.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from Figure.bench import average_precisions, judge_method, rounded
from Figure.bench_data import MADE_SETS, REAL_SETS, CellConfig, make_cell, noises, possible
from Figure.bench_methods import Fitted, clean_learning, has_cleanlab
from Figure.deep_targets import of_run
from Figure.lines import Run
from Figure.tables import markdown, seeds
from Figure.target import Target
from models.examine import examine
from models.metrics import share
from models.repair import repair
from models.soft_regression import fit_soft, one_hot
from run.records import Record
from run.repairing import MORE_LIKELY

ROWS_CHECKED = 100  # rows drawn at random
CHECKED = f"{ROWS_CHECKED} checked"
EXAMINED_METHODS = ("ERM", "CleanLearning", "Examined", CHECKED)
WITH_LISTS = ("CleanLearning", "Examined")  # that call labels wrong
NOT_NOISY = "none"


class ExaminedOf(NamedTuple):
    """What determines a run."""

    dataset: str
    noise: str
    seed: int


def examined_cell(config: ExaminedOf, data_dir: Path) -> Record:
    """Test metrics of each method at the C of the examination, and what is said of the labels, against the true ones.

    After the looks labels are ranked among those that were not looked at.
    """
    cell = make_cell(CellConfig(config.dataset, config.noise, 0, config.seed), data_dir)
    data, found = cell.data, examine(cell.data, np.random.default_rng([config.seed, 1]))
    cleaned = clean_learning(data.x, data.given, data.classes, found.C, config.seed) if has_cleanlab() else None
    ours = Fitted(found.weights, 0.0, found.C)
    plain = fit_soft(data.x, one_hot(data.given, data.classes), data.penalty(found.C), np.ones(len(data.given)))
    looked_at = np.random.default_rng([config.seed, 2]).permutation(len(data.given))[:ROWS_CHECKED]
    checked = np.isin(np.arange(len(data.given)), looked_at)
    told = data._replace(given=np.where(checked, cell.true, data.given), checked=checked, before=data.given)
    after = repair(told := told.trusting(looked_at), np.random.default_rng([config.seed, 3]))
    fitted = {"ERM": ours._replace(weights=plain), **({"CleanLearning": cleaned.fitted} if cleaned else {}), "Examined": ours}
    fitted[CHECKED] = ours._replace(weights=after.weights)
    lists = {"Examined": found.p_wrong > MORE_LIKELY, **({"CleanLearning": cleaned.issues} if cleaned else {})}
    scores = {"p_wrong": found.p_wrong, "self_confidence": -found.self_confidence}  # the latter is cleanlab's ranking
    wrong = data.given != cell.true
    return rounded({
        "n_train": len(wrong),
        "wrong": int(wrong.sum()),
        "estimate": float(found.p_wrong.sum()),
        "estimated_share": after.wrong_labels(told).estimate / (~checked).sum(),
        "methods": {name: judge_method(cell, each, ours) for name, each in fitted.items()},
        "average_precision": {
            **average_precisions(scores, wrong),
            **average_precisions({CHECKED: after.p_wrong[~checked]}, wrong[~checked]),
        },
        "lists": {name: [share(wrong, chosen), share(chosen, wrong)] for name, chosen in lists.items()},
    })  # fmt: skip


def examined_runs(count: int) -> list[Run]:
    """Every set with its own or made noise."""
    configs = [
        ExaminedOf(dataset, noise, seed)
        for seed in range(1, count + 1)
        for dataset in (*REAL_SETS, *MADE_SETS)
        for noise in (*noises(dataset), *((NOT_NOISY,) if dataset in MADE_SETS else ()))
    ]
    return [
        Run("examined", config._asdict(), partial(examined_cell, config), partial(possible, config.dataset)) for config in configs
    ]


def examined_table(lines: Sequence[Record]) -> str:
    """Accuracy, log-loss, the lists of wrong labels and how many there are, a row a set and noise."""
    rows = []
    for run in examined_runs(1):
        mine = of_run(lines, run)
        if mine:
            rows.append([run.config["dataset"], run.config["noise"], *examined_row(mine)])
    methods = [f"{metric}, {name}" for metric in ("accuracy", "log-loss") for name in EXAMINED_METHODS]
    lists = [f"{what}, {name}" for what in ("precision", "recall") for name in WITH_LISTS]
    head = [
        "set",
        "noise",
        "wrong",
        "estimate",
        f"estimate, {CHECKED}",
        *methods,
        "AP, self-confidence",
        "AP, `p_wrong`",
        f"AP, {CHECKED}",
        *lists,
    ]
    return f"Means of {seeds(lines)}.\n\n{markdown(head, rows)}"


def examined_row(lines: Sequence[Record]) -> list[str]:
    """The means over the seeds; "-" for a method that was not run or a list that was empty."""

    def mean(values: Sequence[float | None]) -> str:
        numbers = [value for value in values if value is not None]
        return f"{np.mean(numbers):.3f}" if numbers else "-"

    def metrics(name: str) -> list[str]:
        return [mean([line["methods"].get(method, {}).get(name) for line in lines]) for method in EXAMINED_METHODS]

    shares = [mean([line[name] / line["n_train"] for line in lines]) for name in ("wrong", "estimate")]
    ranked = [mean([line["average_precision"].get(name) for line in lines]) for name in ("self_confidence", "p_wrong", CHECKED)]
    listed = [mean([line["lists"].get(name, [None, None])[place] for line in lines]) for place in (0, 1) for name in WITH_LISTS]
    shares.append(mean([line["estimated_share"] for line in lines]))
    return [*shares, *metrics("accuracy"), *metrics("log_loss"), *ranked, *listed]


TARGETS = {
    "examined": Target(
        "labels examined without trusted rows, beside CleanLearning, on real and made noise",
        3,
        examined_runs,
        lambda lines, output, _: output.table("examined", examined_table(lines)),
    )
}
