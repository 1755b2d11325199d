"""The paper's tables and figures, from runs that are made once and kept as JSON lines in Figure/.

    python -m Figure.reproduce alpha               # RDIA on MNIST 1 vs 7 by alpha and noise (12 runs a seed)
    python -m Figure.reproduce cancer --seeds 20   # the same on LIBSVM's breast-cancer
    python -m Figure.reproduce influence           # predicted against actual change of the validation loss

A run that is kept is not made again; what was interrupted goes on. Tables go into README.md, pictures into Figure/.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

import RDIA
from data.flags import Parser, add_data_dir, count, run_script
from data.noise import flip_share
from data.streams import generator
from Figure.influence_plot import draw
from Figure.lines import FOLDER, by_key, read_lines
from Figure.results import ROOT, Record, append_line, environment
from Figure.stages import Stages
from Figure.tables import ALPHAS, NOISES, alpha_table, paste_into
from influence import Fit, logistic_influence
from models.logistic import fit_logistic, sample_losses

KEYS = ("dataset", "noise", "alpha", "seed", "C", "solver")
SEEDS = {"alpha": 3, "cancer": 20, "influence": 1}
FLIPS = 150  # samples a data set that are flipped and refitted, one at a time
C = 0.1
INFLUENCE_NOISE = 0.2


def alpha(dataset: str, seeds: int, data_dir: Path) -> None:
    """Run RDIA for each alpha, noise and seed that is not kept yet, and write the table."""
    path = FOLDER / f"{dataset}.jsonl"
    kept = by_key(read_lines(path), KEYS)
    wanted = [
        RDIA.Config(dataset, noise, value, number, C, "auto", data_dir)
        for number in range(1, seeds + 1)
        for noise in NOISES
        for value in ALPHAS
    ]
    keys = [tuple(getattr(config, key) for key in KEYS) for config in wanted]
    missing = [config for config, key in zip(wanted, keys, strict=True) if key not in kept]
    for config in tqdm(missing, desc=dataset, unit="run", disable=not sys.stderr.isatty()):
        outcome = RDIA.run(config, Stages(len(RDIA.STAGES)))
        append_line(path, {**outcome.record, "C": C, "solver": config.solver, **environment()})
    kept = by_key(read_lines(path), KEYS)
    paste_into(ROOT / "README.md", dataset, alpha_table([kept[key] for key in keys], dataset))


def influence(data_dir: Path, number: int = 1) -> None:
    """Flip some labels one at a time, fit again, and draw the change against its prediction."""
    path = FOLDER / "influence.jsonl"
    datasets = ("wdbc", "digits", "mnist")
    for dataset in datasets:
        if (dataset, FLIPS, number) not in by_key(read_lines(path), ("dataset", "flips", "seed")):
            append_line(path, {**flip_each(dataset, data_dir, number), **environment()})
    kept = by_key(read_lines(path), ("dataset", "flips", "seed"))
    draw([kept[dataset, FLIPS, number] for dataset in datasets], FOLDER / "influence.png")


def flip_each(dataset: str, data_dir: Path, number: int) -> Record:
    """Predicted (eta / C) and actual change of the summed validation log-loss, for the half of `FLIPS` samples with the
    largest predictions and as many drawn from the rest."""
    data = RDIA.load(dataset, data_dir, number)
    x, labels = data.train.x, flip_share(data.train.labels, INFLUENCE_NOISE, generator(number, "noise")).labels
    weights = fit_logistic(x, labels, C)
    validation = Fit(data.validation.x, data.validation.labels, data.validation.x @ weights)
    predicted = logistic_influence(Fit(x, labels, x @ weights), validation, C).eta / C
    order = np.argsort(-np.abs(predicted))
    rest = generator(number, "random").choice(order[FLIPS // 2 :], FLIPS - FLIPS // 2, replace=False)
    chosen = np.concatenate([order[: FLIPS // 2], rest])
    before = sample_losses(validation.logits, validation.labels).sum()
    actual = []
    for i in tqdm(chosen, desc=f"{dataset}: flips", disable=not sys.stderr.isatty()):
        flipped = labels.copy()
        flipped[i] = 1 - flipped[i]
        actual.append(float(sample_losses(validation.x @ fit_logistic(x, flipped, C), validation.labels).sum() - before))
    settings = {"dataset": dataset, "noise": INFLUENCE_NOISE, "seed": number, "C": C, "flips": FLIPS}
    return {**settings, "rows": data.train.rows[chosen].tolist(), "predicted": predicted[chosen].tolist(), "actual": actual}


TARGETS: dict[str, Callable[[int, Path], None]] = {
    "alpha": lambda seeds, data_dir: alpha("mnist", seeds, data_dir),
    "cancer": lambda seeds, data_dir: alpha("cancer", seeds, data_dir),
    "influence": lambda _, data_dir: influence(data_dir),
}


def main() -> None:
    flags = Parser("Figure.reproduce", __doc__)
    flags.add_argument("target", choices=[*TARGETS, "all"], nargs="+", help="what to make")
    flags.add_argument("--seeds", type=count, help="seeds 1 to this many (3 for alpha, 20 for cancer)")
    add_data_dir(flags)
    given: argparse.Namespace = flags.parse_args()
    for target in TARGETS if "all" in given.target else given.target:
        TARGETS[target](given.seeds or SEEDS[target], given.data_dir)


if __name__ == "__main__":
    run_script("Figure.reproduce", main)
