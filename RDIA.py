"""RDIA: relabel harmful training samples by influence, on L2-regularised logistic regression.

    python RDIA.py                                                  # built-in data, 40% of the labels flipped
    python RDIA.py --dataset mnist --noise 0.8 --alpha 0.0002       # MNIST 1 vs 7, as in the paper
    python RDIA.py --dataset mine.svm --noise 0 --result_dir out    # your own labels: out/relabeled.csv lists the suspects

It prints log-loss, accuracy and AUC on validation and test rows of: ERM (the labels as given), Random (as many labels flipped
as RDIA changes, drawn at random), Dropout (samples with Phi > 0 left out) and RDIA (samples with Phi > alpha relabeled).
"""

import argparse
import importlib
import logging
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.dataset import NAMES, Dataset, load
from data.errors import InputError
from data.files import writable_folder
from data.flags import Parser, add_data_dir, non_negative, rate, run_script, seed, weight
from data.noise import NoisyLabels, flip_count, flip_share
from data.streams import generator
from Figure.report import describe, results_table
from Figure.results import Record, append_line, environment, json_line, write_csv
from Figure.stages import Stages
from influence import Fit, Influence, SolverError, harmful, logistic_influence, relabel
from influence.logistic import SOLVERS, Solver
from models.logistic import fit_logistic
from models.metrics import evaluate, share

log = logging.getLogger(__name__)

STAGES = ("import", "load", "ERM", "influence", "Random", "Dropout", "RDIA", "evaluate")


class Config(NamedTuple):
    """Everything a run's numbers depend on, but the machine."""

    dataset: str
    noise: float
    alpha: float
    seed: int
    C: float
    solver: Solver
    data_dir: Path


class Outcome(NamedTuple):
    """What a run found."""

    record: Record  # the object that --json prints
    dataset: Dataset
    given: NoisyLabels  # training labels after noise
    influence: Influence
    chosen: np.ndarray  # (n,) bool, the relabeled


def run(config: Config, stages: Stages) -> Outcome:
    """Load, corrupt, fit, influence, select by alpha, relabel by R, refit, evaluate. Raises `InputError`, `SolverError`."""
    alpha, C = config.alpha, config.C
    with stages("import"):  # a second of its own, which would be counted as the first fit's
        importlib.import_module("sklearn.linear_model")
    with stages("load"):
        dataset = load(config.dataset, config.data_dir, config.seed)
        x, validation = dataset.train.x, dataset.validation
        given = flip_share(dataset.train.labels, config.noise, generator(config.seed, "noise"))
    with stages("ERM"):
        weights = {"ERM": fit_logistic(x, given.labels, C)}
    with stages("influence"):
        train_fit = Fit(x, given.labels, x @ weights["ERM"])
        validation_fit = Fit(validation.x, validation.labels, validation.x @ weights["ERM"])
        influence = logistic_influence(train_fit, validation_fit, C, config.solver)
        chosen, kept = harmful(influence.phi, alpha), ~harmful(influence.phi, 0.0)
    with stages("Random"):
        at_random = flip_count(given.labels, int(chosen.sum()), generator(config.seed, "random"))
        weights["Random"] = fit_logistic(x, at_random.labels, C)
    with stages("Dropout"):
        weights["Dropout"] = fit_logistic(x[kept], given.labels[kept], C)
    with stages("RDIA"):
        weights["RDIA"] = fit_logistic(x, relabel(given.labels, chosen), C)
    with stages("evaluate"):
        splits = {"validation": validation, "test": dataset.test}
        methods = {
            name: {split: evaluate(part.x @ w, part.labels)._asdict() for split, part in splits.items()}
            for name, w in weights.items()
        }
    record = {
        **{key: getattr(config, key) for key in ("dataset", "noise", "alpha", "seed")},
        **{f"n_{split}": len(part.labels) for split, part in (("train", dataset.train), *splits.items())},
        "relabeled": int(chosen.sum()),
        "precision": share(given.flipped, chosen),
        "recall": share(chosen, given.flipped),
        "methods": methods,
        "seconds": stages.seconds,
    }
    return Outcome(record, dataset, given, influence, chosen)


def relabeled_rows(outcome: Outcome) -> tuple[list[str], list[tuple[object, ...]]]:
    """Header and rows of relabeled.csv, most harmful first; an image folder's rows also name the file."""
    rows = np.flatnonzero(outcome.chosen)
    rows = rows[np.argsort(-outcome.influence.phi[rows], kind="stable")]
    classes, old = np.array(outcome.dataset.classes), outcome.given.labels[rows]
    columns = {
        "index": outcome.dataset.train.rows[rows],
        "old_label": classes[old],
        "new_label": classes[1 - old],
        "phi": outcome.influence.phi[rows],
        "eta": outcome.influence.eta[rows],
    }
    if outcome.dataset.files:
        columns["file"] = np.array(outcome.dataset.files)[columns["index"]]
    return list(columns), list(zip(*(column.tolist() for column in columns.values()), strict=True))


def save(outcome: Outcome, config: Config, folder: Path) -> None:
    """Write relabeled.csv anew and append the run to results.jsonl."""
    write_csv(folder / "relabeled.csv", *relabeled_rows(outcome))
    settings = {"C": config.C, "solver": config.solver, "residual": outcome.influence.solution.residual}
    append_line(folder / "results.jsonl", {**outcome.record, **settings, **environment()})


def notes(outcome: Outcome, config: Config) -> list[str]:
    """What a user should know of a run that went well."""
    found = list(outcome.dataset.notes)
    if config.noise and config.dataset not in NAMES:
        found.append(
            f"a share of {config.noise:g} of your training labels was flipped on purpose; --noise 0 takes them as they are"
        )
    erm, rdia = (outcome.record["methods"][name]["validation"]["log_loss"] for name in ("ERM", "RDIA"))
    if rdia > erm:
        found.append(f"RDIA's validation log-loss, {rdia:.4g}, is above ERM's, {erm:.4g}: raise --alpha, or scale the features")
    return found


def parser() -> Parser:
    flags = Parser("RDIA.py", __doc__)
    flags.add_argument("--dataset", default="wdbc", help=f"{', '.join(NAMES)}, or a LIBSVM file, an .npz or a folder of pictures")
    flags.add_argument(
        "--noise", type=rate, default=0.4, help="share of the training labels to flip (0.4); 0 for labels as they are"
    )
    flags.add_argument("--alpha", type=non_negative, default=0.0002, help="samples with Phi above this are relabeled (0.0002)")
    flags.add_argument("--seed", type=seed, default=1, help="governs split, noise and Random, each by its own stream (1)")
    flags.add_argument("--C", type=weight, default=0.1, help="weight of the losses against the penalty (0.1)")
    flags.add_argument("--solver", choices=SOLVERS, default="auto", help="how the Hessian is inverted (auto: by the sizes)")
    add_data_dir(flags)
    flags.add_argument("--result_dir", type=Path, help="append the run to results.jsonl there, and write relabeled.csv")
    flags.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    flags.add_argument("--quiet", action="store_true", help="no progress and no notes: the results alone")
    return flags


def main() -> None:
    flags: argparse.Namespace = parser().parse_args()
    logging.basicConfig(format="%(message)s", level=logging.ERROR if flags.quiet else logging.INFO, force=True)
    config = Config(flags.dataset, flags.noise, flags.alpha, flags.seed, flags.C, flags.solver, flags.data_dir)
    if flags.result_dir:
        writable_folder(flags.result_dir, "--result_dir")
    stages = Stages(len(STAGES), flags.quiet)
    try:
        outcome = run(config, stages)
    except SolverError as error:
        raise InputError(f"--dataset {config.dataset}: {error}") from error
    finally:
        stages.close()
    for note in notes(outcome, config):
        log.warning("note: %s", note)
    if flags.result_dir:
        save(outcome, config, flags.result_dir)
    if flags.json:
        sys.stdout.write(json_line(outcome.record))
        return
    if not flags.quiet:
        print(describe(config.dataset, outcome.dataset), end="\n\n")
    print(results_table(outcome.record, int(outcome.given.flipped.sum())))


def cli() -> None:
    run_script("RDIA.py", main)


if __name__ == "__main__":
    cli()
