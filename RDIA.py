"""RDIA: relabel harmful training samples by influence, on logistic or, beyond two classes, softmax regression, or a network.

    python RDIA.py                                                  # built-in data, 40% of the labels flipped
    python RDIA.py --dataset mnist --noise 0.8 --alpha 0.0002       # MNIST 1 vs 7, as in the paper
    python RDIA.py --dataset mnist10 --relabel best                 # all ten digits, each suspect to the label that helps most
    python RDIA.py --dataset mnist10 --model mlp --noise 0.5 --alpha 0           # a network
    python RDIA.py --dataset mine.svm --noise 0 --alpha auto --result_dir out    # your labels: out/relabeled.csv lists the suspects
    python RDIA.py --dataset digits --audit page.html               # review the suggestions in a browser, export your decisions,
    python RDIA.py --dataset digits --labels decided.csv            # and fit on them

It prints log-loss, accuracy and AUC on validation and test rows of: ERM (the labels as given), Random (as many labels flipped
as RDIA changes, drawn at random), Dropout (samples with Phi > 0 left out) and RDIA (samples with Phi > alpha relabeled).
"""

from data.flags import leave_on_interrupt

if __name__ == "__main__":
    leave_on_interrupt("RDIA.py")

import argparse
import importlib
import logging
import sys
from functools import partial
from typing import Any, Literal

from data.dataset import NAMES, Dataset, Validation, load
from data.decisions import read_decisions, worth
from data.errors import InputError
from data.files import writable_folder
from data.flags import Parser, add_data_dir, count, importing, non_negative, place, positive, rate, run_script, seed, weight
from data.noise import flip_count, flip_share
from data.streams import generator, stream_seed
from Figure.audit import page_path, write_page
from Figure.config import MODELS, RELABELS, Config
from Figure.outcome import Outcome, key, reviewed, save
from Figure.report import describe, results_table
from Figure.results import Record, json_line
from Figure.stages import Stages
from influence import SolverError, harmful
from influence.logistic import SOLVERS
from influence.rows import is_matrix
from models.choose import Choice, Rows, TooFewRowsError, settle
from models.linear import LinearModel
from models.metrics import share
from models.model import Model, judge, refit
from models.placement import Loader, loader
from models.rows import RowsModel

log = logging.getLogger(__name__)

STAGES = ("import", "load", "ERM", "influence", "choose", "Random", "Dropout", "RDIA", "evaluate")


def run(config: Config, stages: Stages, load: Loader = load) -> Outcome:
    """Load, corrupt, fit, influence, select by alpha, relabel by R, refit, evaluate. Raises `InputError`, `SolverError`."""
    with stages("import"), importing():  # a second of its own, which would be counted as the first fit's
        importlib.import_module("sklearn.linear_model" if config.model == "linear" else "models.network")
    with stages("load"):
        dataset = load(config.dataset, config.data_dir, config.seed, config.validation)
        classes, model = len(dataset.classes), classifier(config, dataset, stages.quiet)
        given = flip_share(dataset.train.labels, config.noise, generator(config.seed, "noise"), classes)
        x, x_validation, x_test = (model.inputs(part.x) for part in (dataset.train, dataset.validation, dataset.test))
        decided = read_decisions(config.labels, key(config, dataset, given), dataset, given.labels) if config.labels else None
        splits = {"validation": (x_validation, dataset.validation.labels), "test": (x_test, dataset.test.labels)}
    with stages("ERM"):
        weights = {"ERM": model.fit(x, given.labels)}
    with stages("influence"):
        scores = model.influence(x, given.labels, *splits["validation"], weights["ERM"])
    with stages("choose"):
        choice = settled(config, model, (x, given.labels), splits["validation"], weights["ERM"], stages)
    chosen = harmful(scores.phi, choice.alpha)
    with stages("Random"):
        at_random = flip_count(given.labels, int(chosen.sum()), generator(config.seed, "random"), classes)
        weights["Random"] = model.fit(x, at_random.labels)
    with stages("Dropout"):
        weights["Dropout"] = refit(model, x, given.labels, scores, harmful(scores.phi, 0.0), "drop")
    with stages("RDIA"):
        weights["RDIA"] = refit(model, x, given.labels, scores, chosen, choice.relabel)
    if decided:
        with stages("Decided"):
            weights["Decided"] = model.fit(x, decided.labels)
    with stages("evaluate"):
        methods = {name: judge(model, w, splits) for name, w in weights.items()}
    outcome = Outcome({}, dataset, given, scores, chosen, model, weights["ERM"])
    record = recorded(config, outcome, choice, methods, stages.seconds)
    if decided:
        record["decided"] = worth(decided, given, dataset.train.labels)
    return outcome._replace(record=record)


def recorded(config: Config, found: Outcome, choice: Choice, methods: Record, seconds: dict[str, float]) -> Record:
    """What --json prints."""
    dataset, given, scores, chosen = found.dataset, found.given, found.scores, found.chosen
    parts, known = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}, bool(given.flipped.any())
    record: Record = {
        "dataset": config.dataset,
        "noise": config.noise,
        "alpha": choice.alpha,
        "seed": config.seed,
        **{f"n_{name}": len(part.labels) for name, part in parts.items()},
        "relabeled": int(chosen.sum()),
        "precision": share(given.flipped, chosen) if known else None,
        "recall": share(chosen, given.flipped),
        "relabel": choice.relabel,
        "classes": len(dataset.classes),
        "right": share(scores.best == dataset.train.labels, chosen) if known else None,
        "methods": methods,
        "seconds": seconds,
        "model": config.model,
        "residual": scores.residual,
    }
    if scores.damping is not None:
        record |= {"damping": scores.damping, "largest_eigenvalue": scores.largest}
    if choice.curve:
        record["curve"] = [point._asdict() for point in choice.curve]
    return record


def classifier(config: Config, dataset: Dataset, quiet: bool) -> Model:
    """The model that the flags ask for. Raises `InputError` where it is not one for such data."""
    classes, shape = len(dataset.classes), dataset.shape or dataset.train.x.shape[1:]
    if config.model == "linear" and not is_matrix(dataset.train.x):
        return RowsModel(config.C)
    if config.model == "linear" and config.gpu is not None:
        return on_gpu(config, classes)
    if config.model == "linear":
        return LinearModel(classes, config.C, config.solver)
    from Figure.deep import choose_device
    from models.network import Fitting, NetworkModel, unsuited

    if fault := unsuited(config.model, shape, sum(len(part.labels) for part in (dataset.train, dataset.validation, dataset.test))):
        raise InputError(f"--model {config.model}: {fault}")
    solver: Any = "cg" if config.solver == "auto" else config.solver
    seeds = stream_seed(config.seed, "initialisation"), stream_seed(config.seed, "order")
    device, fitting = choose_device(config.gpu), Fitting(config.n_epoch)
    return NetworkModel(classes, shape, config.model, *seeds, device, solver, config.damping, fitting, quiet)


def on_gpu(config: Config, classes: int) -> Model:
    """Logistic regression on a GPU. Raises `InputError` for more than two classes, and where there is no such GPU."""
    with importing():
        from Figure.deep import choose_device
        from models.on_gpu import on_device

    if classes > 2:
        raise InputError(f"--gpu {config.gpu}: {config.dataset} has {classes} classes, expected 2; leave --gpu out")
    return RowsModel(config.C, partial(on_device, device=choose_device(config.gpu)))


def settled(config: Config, model: Model, train: Rows, validation: Rows, weights: Any, stages: Stages) -> Choice:
    """alpha and what is done with the samples above it, as given or as chosen."""
    rng = generator(config.seed, "choose")
    try:
        return settle(model, train, validation, weights, config.alpha, config.relabel, rng, stages.within)
    except TooFewRowsError as error:
        raise InputError(f"--alpha auto: in {config.dataset} {error}; give --alpha and --relabel") from error


def notes(outcome: Outcome, config: Config) -> list[str]:
    """What a user should know of a run that went well."""
    found = list(outcome.dataset.notes)
    if config.noise and config.dataset not in NAMES:
        found.append(
            f"a share of {config.noise:g} of your training labels was flipped on purpose; --noise 0 takes them as they are"
        )
    erm, rdia = (outcome.record["methods"][name]["validation"]["log_loss"] for name in ("ERM", "RDIA"))
    if rdia > erm:
        found.append(f"RDIA's validation log-loss, {rdia:.4g}, is above ERM's, {erm:.4g}: give --alpha auto, or scale the features")
    return found


def automatic(text: str) -> float | None:
    """The value of --alpha: a number, or None for "auto"."""
    try:
        return None if text == "auto" else non_negative(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or auto") from error


def parser() -> Parser:
    flags = Parser("RDIA.py", __doc__)
    flags.add_argument("--dataset", default="wdbc", help=f"{', '.join(NAMES)}, or a LIBSVM file, an .npz or a folder of pictures")
    flags.add_argument(
        "--noise", type=rate, default=0.4, help="share of the training labels to flip (0.4); 0 for labels as they are"
    )
    flags.add_argument(
        "--alpha", type=automatic, default=0.0002, help="samples with Phi above this are relabeled, or auto (0.0002)"
    )
    flags.add_argument(
        "--seed", type=seed, default=1, help="governs split, noise, Random and the network, each by its own stream (1)"
    )
    flags.add_argument("--model", choices=MODELS, default="linear", help="logistic or softmax regression, or a network (linear)")
    flags.add_argument("--C", type=weight, help="weight of the losses against the penalty (0.1)")
    flags.add_argument("--relabel", choices=RELABELS, default="R", help="R of the paper, to the best label, drop them, or auto (R)")
    flags.add_argument(
        "--solver", choices=(*SOLVERS, "lissa"), default="auto", help="how the Hessian is inverted (auto: by the sizes)"
    )
    flags.add_argument("--damping", type=positive, help="added to a network's curvature (a tenth of its largest eigenvalue)")
    flags.add_argument("--n_epoch", type=count, help="epochs of a network, or as many as 300 steps take (10)")
    flags.add_argument("--gpu", type=seed, help="number of the GPU (networks: the first there is, else the CPU)")
    flags.add_argument("--block_rows", type=count, help="a LIBSVM file in blocks of so many rows, one in memory at a time")
    flags.add_argument("--dask", metavar="ADDRESS", help="a LIBSVM file on the workers of this Dask scheduler")
    flags.add_argument(
        "--validation", choices=["train", "test"], help="where validation rows are taken from (train; networks: test)"
    )
    flags.add_argument("--n_validation", type=count, help="how many (30%% of the training rows; 100 of the test rows)")
    add_data_dir(flags)
    flags.add_argument("--audit", type=place, metavar="PATH.html", help="write the page where a person decides on the suggestions")
    flags.add_argument("--labels", type=place, metavar="DECIDED.csv", help="fit on these decisions too: what the page exports")
    flags.add_argument("--result_dir", type=place, help="append the run to results.jsonl there, and write relabeled.csv")
    flags.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    flags.add_argument("--quiet", action="store_true", help="no progress and no notes: the results alone")
    return flags


def configure(flags: argparse.Namespace) -> Config:
    """The run that the flags ask for. Raises `InputError` for flags that do not go together."""
    if flags.solver not in MODELS[flags.model]:
        expected = ", ".join(MODELS[flags.model])
        raise InputError(f"--solver {flags.solver}: is not one for --model {flags.model}, expected one of {expected}")
    for name in ("block_rows", "dask"):
        if getattr(flags, name):
            in_blocks(f"--{name} {getattr(flags, name)}", flags)
    if flags.model == "linear" and flags.gpu is not None and flags.solver == "cholesky":
        raise InputError(f"--gpu {flags.gpu}: makes no Cholesky factor; give --solver cg, or leave --solver out")
    for name, of in (("C", "linear"), ("damping", "mlp or cnn"), ("n_epoch", "mlp or cnn")):
        if getattr(flags, name) is not None and flags.model not in of:
            raise InputError(f"--{name} {getattr(flags, name):g}: is for --model {of}, not for {flags.model}; leave it out")
    fields = {
        name: value for name, value in vars(flags).items() if name in Config._fields and (value is not None or name == "alpha")
    }
    part: Literal["train", "test"] = flags.validation or ("train" if flags.model == "linear" else "test")
    return Config(**{**fields, "validation": Validation(part, flags.n_validation)})


def in_blocks(flag: str, flags: argparse.Namespace) -> None:
    """Raise `InputError` where another flag asks for what rows in blocks have not."""
    wrong = {
        "--model": flags.model != "linear",
        "--gpu": flags.gpu is not None,
        "--solver": flags.solver == "cholesky",
        "--audit": flags.audit,
        "--labels": flags.labels,
    }
    for name in (name for name, given in wrong.items() if given):
        value = getattr(flags, name.removeprefix("--"))
        raise InputError(f"{flag}: does not go with {name} {value}, which wants the rows in memory; leave one of them out")


def main() -> None:
    flags: argparse.Namespace = parser().parse_args()
    logging.basicConfig(format="%(message)s", level=logging.ERROR if flags.quiet else logging.INFO, force=True)
    config = configure(flags)
    if flags.result_dir:
        writable_folder(flags.result_dir, "--result_dir")
    if flags.audit:
        page_path(flags.audit, "--audit")
    stages = Stages(len(STAGES) + bool(flags.labels), flags.quiet)
    try:
        with loader(config.block_rows, config.dask) as load_there:
            outcome = run(config, stages, load_there)
        seen = (flags.audit or flags.result_dir) and is_matrix(outcome.dataset.train.x)
        found = reviewed(outcome, config, bool(flags.audit)) if seen else None
    except SolverError as error:
        raise InputError(f"--dataset {config.dataset}: {error}") from error
    finally:
        stages.close()
    for note in notes(outcome, config):
        log.warning("note: %s", note)
    if flags.result_dir:
        save(outcome, config, found, flags.result_dir)
    if found and flags.audit:
        write_page(found, flags.audit)
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
