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
from models.examine import MORE_LIKELY, examine
from models.metrics import share
from models.repair import repair
from models.soft_regression import fit_soft, one_hot
from run.records import Record

ROWS_CHECKED = 100  # rows drawn at random
CHECKED = f"{ROWS_CHECKED} checked"
EXAMINED_METHODS = ("ERM", "CleanLearning", "Examined", CHECKED)
WITH_LISTS = ("CleanLearning", "Examined")  # that call labels wrong


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
    decided = np.where(checked, cell.true, data.given)
    told = data._replace(given=decided, checked=checked, before=data.given).trusting(looked_at)
    after = repair(told, np.random.default_rng([config.seed, 3]))
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
        for noise in (*noises(dataset), *(("none",) if dataset in MADE_SETS else ()))
    ]
    return [
        Run("examined", config._asdict(), partial(examined_cell, config), partial(possible, config.dataset)) for config in configs
    ]


def examined_table(lines: Sequence[Record]) -> str:
    """Two tables, a row a set and noise: the model's accuracy and log-loss; the wrong labels, their lists and rankings."""
    runs = [(run, mine) for run in examined_runs(1) if (mine := of_run(lines, run))]
    of = [[run.config["dataset"], run.config["noise"]] for run, _ in runs]
    models = [f"{metric}, {name}" for metric in ("accuracy", "log-loss") for name in EXAMINED_METHODS]
    shares = ["wrong labels", "estimate", f"estimate, {CHECKED}"]
    ranked = ["AP, self-confidence", "AP, `p_wrong`", f"AP, {CHECKED}"]
    lists = [f"{what}, {name}" for what in ("precision", "recall") for name in WITH_LISTS]
    tables = [
        markdown(["set", "noise", *head], [[*first, *row(mine)] for first, (_, mine) in zip(of, runs, strict=True)])
        for head, row in ((models, model_cells), ([*shares, *ranked, *lists], label_cells))
    ]
    return "\n\n".join([f"Means of {seeds(lines)}.", *tables])


def model_cells(lines: Sequence[Record]) -> list[str]:
    """Accuracy and log-loss of each method."""
    names = [(metric, method) for metric in ("accuracy", "log_loss") for method in EXAMINED_METHODS]
    return [mean_cell([line["methods"].get(method, {}).get(metric) for line in lines]) for metric, method in names]


def label_cells(lines: Sequence[Record]) -> list[str]:
    """What is said of the labels, and how far it is true."""
    shares = [mean_cell([line[name] / line["n_train"] for line in lines]) for name in ("wrong", "estimate")]
    after = mean_cell([line["estimated_share"] for line in lines])
    ranked = [
        mean_cell([line["average_precision"].get(name) for line in lines]) for name in ("self_confidence", "p_wrong", CHECKED)
    ]
    lists = [(place, name) for place in (0, 1) for name in WITH_LISTS]
    return [
        *shares,
        after,
        *ranked,
        *(mean_cell([line["lists"].get(name, [None] * 2)[place] for line in lines]) for place, name in lists),
    ]


def mean_cell(values: Sequence[float | None]) -> str:
    """The mean over the seeds; "-" for a method that was not run or a list that was empty."""
    numbers = [value for value in values if value is not None]
    return f"{np.mean(numbers):.3f}" if numbers else "-"


TARGETS = {
    "examined": Target(
        "labels examined without trusted rows, beside CleanLearning, and with rows drawn and checked, on real and made noise",
        3,
        examined_runs,
        lambda lines, output, _: output.table("examined", examined_table(lines)),
    )
}
