"""A run of RDIA: from its configuration to its results."""

import importlib
import logging
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from data.dataset import FROM_TRAIN, Dataset, Validation, load
from data.errors import InputError
from data.libsvm import read_libsvm
from data.libsvm_parts import Read
from data.noise import NoisyLabels, flip_count, flip_share
from data.public import ROW_SETS
from data.streams import generator, stream_seed
from data.table import TableColumns
from influence.logistic import SOLVERS
from influence.relabel import harmful
from models.choose import Choice, Samples, TooFewRowsError, settle
from models.linear import LinearModel
from models.metrics import share
from models.model import MODES, Model, Scores, judge, refit
from run.decisions import Decided, count_decisions, read_decisions
from run.identity import run_key
from run.records import Record
from run.stages import Stages

log = logging.getLogger(__name__)

Relabel = Literal["R", "best", "drop", "auto"]
RELABELS: tuple[Relabel, ...] = (*MODES, "auto")
ModelName = Literal["linear", "mlp", "cnn"]
# The solvers of each model.
MODELS: dict[ModelName, tuple[str, ...]] = {"linear": SOLVERS, "mlp": ("auto", "cg", "lissa"), "cnn": ("auto", "cg", "lissa")}
STAGES = ("import", "load", "ERM", "influence", "choose", "Random", "Dropout", "RDIA", "evaluate")


class Config(NamedTuple):
    """Everything a run's numbers depend on, except the machine."""

    dataset: str
    noise: float
    alpha: float | None  # None: chosen on validation rows
    seed: int
    solver: Any  # one of MODELS[model]
    data_dir: Path
    C: float = 0.1
    relabel: Relabel = "R"
    model: ModelName = "linear"
    validation: Validation = FROM_TRAIN
    damping: float | None = None  # of a network's curvature; None: by its largest eigenvalue
    n_epoch: int = 10  # of a network
    gpu: int | None = None
    labels: Path | None = None  # a file of decisions that a person made
    block_rows: int | None = None  # keep the rows of a LIBSVM file on disk, and read so many at a time
    dask: str | None = None  # keep them on the workers of the Dask scheduler at this address
    protocol: Literal["paper", "auto"] = "paper"
    columns: TableColumns = TableColumns()  # of a user's table
    size: int | None = None  # of a side of each picture of a user's folder
    fdr: float = 0.1  # of protocol auto: share of right labels among the listed suspects, in expectation


class Outcome(NamedTuple):
    """The results of a run."""

    record: Record  # the object that --json prints
    dataset: Dataset
    given: NoisyLabels  # training labels after noise
    scores: Scores
    chosen: np.ndarray  # (n,) bool, the relabeled
    model: Model
    weights: Any  # of the ERM fit
    decided: Decided | None = None  # by a person


def run(config: Config, stages: Stages, read: Read = read_libsvm) -> Outcome:
    """Load, inject noise, fit, compute influences, select by alpha, relabel, fit again, evaluate.

    read: the function that reads LIBSVM files. Raises `InputError`, and `SolverError` if a fit does not converge.
    """
    with stages("import"):  # takes a second, which would otherwise count as part of the first fit
        importlib.import_module("sklearn.linear_model" if config.model == "linear" else "models.network_model")
    with stages("load"):
        asked = config.validation
        dataset = load(config.dataset, config.data_dir, config.seed, asked, read, config.columns, config.size, stages.within)
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
    outcome = Outcome({}, dataset, given, scores, chosen, model, weights["ERM"], decided)
    record = recorded(config, outcome, choice, methods, stages.seconds)
    if decided:
        record["decided"] = count_decisions(decided, given, dataset.train.labels)
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
    """The model of the configuration. Raises `InputError` if it does not suit the data."""
    classes, shape = len(dataset.classes), dataset.shape or dataset.train.x.shape[1:]
    if config.model == "linear":
        return linear_model(config, classes)
    from models.devices.device import choose_device
    from models.network_model import Fitting, NetworkModel, unsuited

    if fault := unsuited(config.model, shape, sum(len(part.labels) for part in (dataset.train, dataset.validation, dataset.test))):
        raise InputError(f"--model {config.model}: {fault}")
    solver: Any = "cg" if config.solver == "auto" else config.solver
    seeds = stream_seed(config.seed, "initialisation"), stream_seed(config.seed, "order")
    device, fitting = choose_device(config.gpu), Fitting(config.n_epoch)
    return NetworkModel(classes, shape, config.model, *seeds, device, solver, config.damping, fitting, quiet)


def linear_model(config: Config, classes: int) -> LinearModel:
    """Logistic regression for two classes, softmax regression for more, on the CPU or a GPU. Raises `InputError`."""
    if classes > 2:
        if config.gpu is not None:
            raise InputError(f"--gpu {config.gpu}: {config.dataset} has {classes} classes, expected 2; leave --gpu out")
        if config.solver == "cholesky":
            raise InputError(f"--solver cholesky: {config.dataset} has {classes} classes, expected 2; leave --solver out")
    if config.gpu is None:
        return LinearModel(classes, config.C, config.solver)
    from models.devices.device import choose_device
    from models.devices.on_gpu import on_device

    return LinearModel(classes, config.C, config.solver, partial(on_device, device=choose_device(config.gpu)))


def settled(config: Config, model: Model, train: Samples, validation: Samples, weights: Any, stages: Stages) -> Choice:
    """alpha and what to do with the samples above it, as given or chosen on validation rows. Raises `InputError`."""
    rng = generator(config.seed, "choose")
    try:
        return settle(model, train, validation, weights, config.alpha, config.relabel, rng, stages.within)
    except TooFewRowsError as error:
        raise InputError(f"--alpha auto: in {config.dataset} {error}; give --alpha and --relabel") from error


def key(config: Config, dataset: Dataset, given: NoisyLabels) -> str:
    """The key of the run: its data, and the settings that its suggestions depend on."""
    own = ("C",) if config.model == "linear" else ("solver", "damping", "n_epoch")
    settings = {name: getattr(config, name) for name in ("noise", "seed", "alpha", "relabel", "model", *own)}
    named = {name: "auto" if value is None else value for name, value in settings.items()}
    return run_key({"dataset": Path(config.dataset).resolve().name, **named}, dataset, given.labels)


def notes(outcome: Outcome, config: Config) -> list[str]:
    """What a user should know about a finished run."""
    found = list(outcome.dataset.notes)
    if config.noise and config.dataset not in ROW_SETS:
        found.append(f"{config.noise:.0%} of your training labels were flipped on purpose; add --noise 0 to keep them as they are")
    erm, rdia = (outcome.record["methods"][name]["validation"]["log_loss"] for name in ("ERM", "RDIA"))
    if rdia > erm:
        found.append(f"RDIA's validation log-loss, {rdia:.4g}, is above ERM's, {erm:.4g}: give --alpha auto, or scale the features")
    return found
