"""The targets on logistic regression: alpha, cancer, methods, noise, influence."""

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from data.public import ROW_SETS, is_here
from Figure.compare import COMPARED, Comparison, compare
from Figure.flips import Flips, flip_each
from Figure.influence_plot import draw_influence
from Figure.lines import Run
from Figure.many import MANY_METHODS, ManyClasses, relabel_many
from Figure.noise_plot import draw_noise
from Figure.published import MNIST_ALPHA
from Figure.tables import markdown, marked, mean_sd, seeds
from Figure.target import Output, Target
from run.rdia import STAGES, Config, run
from run.records import Record
from run.stages import Stages

C = 0.1
ALPHAS = (0.01, 0.002, 0.0002)
ALPHA_NOISES = (0.0, 0.2, 0.5, 0.8)
NOISES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
MANY_NOISES = (0.2, 0.5, 0.8)
NOISE_SETS = ("mnist", "cancer", "diabetes", "adult")
FLIP_SETS = ("wdbc", "digits", "mnist")
DATASETS = tuple(name for name in ROW_SETS if name not in {"a1a", "digits10", "mnist10"})  # of two classes; a1a is adult


def alpha_runs(dataset: str, count: int) -> list[Run]:
    """`RDIA.py` at three alphas and four noise rates: the table in the README of the authors' release."""
    configs = [
        {"dataset": dataset, "noise": noise, "alpha": alpha, "seed": seed, "C": C, "solver": "auto"}
        for seed in range(1, count + 1)
        for noise in ALPHA_NOISES
        for alpha in ALPHAS
    ]
    return [Run("alpha", config, partial(run_rdia, config)) for config in configs]


def run_rdia(config: Record, data_dir: Path) -> Record:
    """What `RDIA.py --json` prints."""
    return run(Config(**config, data_dir=data_dir), Stages(len(STAGES))).record


def alpha_table(lines: Sequence[Record], dataset: str) -> str:
    """Test log-loss of RDIA by alpha and noise beside ERM, Random and Dropout; for MNIST also the published values."""
    rows = []
    for alpha in ALPHAS:
        losses = [_losses(lines, "RDIA", alpha, noise) for noise in ALPHA_NOISES]
        published = [MNIST_ALPHA[alpha, noise] if dataset == "mnist" else np.nan for noise in ALPHA_NOISES]
        if dataset == "mnist":
            rows.append(["RDIA, published", f"{alpha:g}", *(f"{value:.4f}" for value in published)])
        rows.append(["RDIA", f"{alpha:g}", *(marked(cell, value) for cell, value in zip(losses, published, strict=True))])
        counts = [[line["relabeled"] for line in _cell(lines, alpha, noise)] for noise in ALPHA_NOISES]
        rows.append(["relabeled", f"{alpha:g}", *(f"{np.mean(count):,.0f}" if count else "-" for count in counts)])
    others = [("Random", alpha, f"{alpha:g}") for alpha in ALPHAS] + [(name, ALPHAS[0], "") for name in ("ERM", "Dropout")]
    for method, alpha, shown in others:
        rows.append([method, shown, *(mean_sd(_losses(lines, method, alpha, noise)) for noise in ALPHA_NOISES)])
    of = f"; relabeled: of {lines[0]['n_train']:,}" if lines else ""
    head = f"{dataset}: test log-loss, mean ± sd of {seeds(lines)}, C = {C:g}{of}."
    return f"{head}\n\n{markdown(['method', 'alpha', *(f'noise {noise:g}' for noise in ALPHA_NOISES)], rows)}"


def _cell(lines: Sequence[Record], alpha: float, noise: float) -> list[Record]:
    return [line for line in lines if (line["config"]["alpha"], line["config"]["noise"]) == (alpha, noise)]


def _losses(lines: Sequence[Record], method: str, alpha: float, noise: float) -> list[float]:
    return [line["methods"][method]["test"]["log_loss"] for line in _cell(lines, alpha, noise)]


def comparisons(datasets: Sequence[str], noises: Sequence[float], count: int) -> list[Run]:
    """All methods on those of the data sets that are there; runs that share a data set and a seed side by side."""
    grid = itertools.product(datasets, range(1, count + 1), noises)
    configs = [Comparison(dataset, noise, seed, C) for dataset, seed, noise in grid]
    return [Run("compare", config._asdict(), partial(compare, config), partial(is_here, config.dataset)) for config in configs]


def losses_of(lines: Sequence[Record], method: str, dataset: str, noise: float) -> list[float]:
    """Test log-losses of one method on one data set at one noise rate, one a seed."""
    wanted = [line for line in lines if (line["config"]["dataset"], line["config"]["noise"]) == (dataset, noise)]
    return [line["methods"][method]["test"]["log_loss"] for line in wanted]


def methods_table(lines: Sequence[Record], data_dir: Path) -> str:
    """Test log-loss of every method on clean data, a row a data set; the best mean of a row in bold."""
    rows = []
    for dataset in DATASETS:
        mine = [line for line in lines if (line["config"]["dataset"], line["config"]["noise"]) == (dataset, 0.0)]
        if not mine:
            why = "still to be run" if is_here(dataset, data_dir) else "not there"
            rows.append([dataset, why, *[""] * len(COMPARED)])
            continue
        cells = best_in_bold([mean_sd(losses_of(mine, method, dataset, 0.0)) for method in COMPARED])
        alphas = sorted({line["alpha"] for line in mine})
        rows.append([dataset, ", ".join(f"{alpha:g}" for alpha in alphas), *cells])
    head = (
        f"Clean data: test log-loss, mean ± sd of {seeds(lines)}, C = {C:g}; alpha by validation loss from"
        f" {', '.join(f'{alpha:g}' for alpha in Comparison._field_defaults['alphas'])}. A set that is not in --data_dir is not"
        " downloaded here: `python RDIA.py --dataset NAME` does that."
    )
    return f"{head}\n\n{markdown(['data set', 'alpha', *COMPARED], rows)}"


def noise_table(lines: Sequence[Record]) -> str:
    """Test log-loss on MNIST by noise rate, a row a method; the best mean of a column in bold."""
    columns = []
    for noise in NOISES[::2]:
        cells = [mean_sd(losses_of(lines, method, "mnist", noise)) for method in COMPARED]
        columns.append(best_in_bold(cells))
    rows = [list(row) for row in zip(COMPARED, *columns, strict=True)]
    mnist = [line for line in lines if line["config"]["dataset"] == "mnist"]
    head = f"mnist: test log-loss, mean ± sd of {seeds(mnist)}, C = {C:g}; alpha by validation loss."
    return f"{head}\n\n{markdown(['method', *(f'noise {noise:g}' for noise in NOISES[::2])], rows)}"


def best_in_bold(cells: Sequence[str], largest: bool = False) -> list[str]:
    """Cells of `mean_sd`, those with the least mean, or the largest, in bold."""
    sign = -1 if largest else 1
    means = [np.inf if cell == "-" else sign * float(cell.split()[0]) for cell in cells]
    return [f"**{cell}**" if mean == min(means) < np.inf else cell for cell, mean in zip(cells, means, strict=True)]


def many_runs(count: int) -> list[Run]:
    """MNIST's ten digits by softmax regression."""
    configs = [ManyClasses("mnist10", noise, seed, C) for seed in range(1, count + 1) for noise in MANY_NOISES]
    return [Run("classes", config._asdict(), partial(relabel_many, config)) for config in configs]


def many_table(lines: Sequence[Record], settings: str, methods: Sequence[str] = MANY_METHODS) -> str:
    """Test log-loss and accuracy by noise, and what became of the wrong labels; the best value of a row in bold."""
    rows = []
    for noise in MANY_NOISES:
        mine = [line for line in lines if line["config"]["noise"] == noise]
        losses, accuracies = (
            [[line["methods"][method]["test"][name] for line in mine] for method in methods] for name in ("log_loss", "accuracy")
        )
        found = [mean_sd([line[name] for line in mine], 3) for name in ("precision", "recall", "right")]
        rows.append([f"{noise:g}", "log-loss", *best_in_bold([mean_sd(cell) for cell in losses]), *found])
        rows.append(["", "accuracy", *best_in_bold([mean_sd(cell) for cell in accuracies], largest=True), "", "", ""])
    size = f" of {lines[0]['n_train']:,} training samples" if lines else ""
    head = (
        f"mnist10, {settings}: mean ± sd of {seeds(lines)}, alpha = 0; precision and recall of the relabeled{size} against the"
        " changed labels, and the share of the relabeled whose best label is the true one."
    )
    return f"{head}\n\n{markdown(['noise', 'test', *methods, 'precision', 'recall', 'true label'], rows)}"


def flip_runs(count: int) -> list[Run]:
    """Single flips on three data sets."""
    configs = [Flips(dataset, seed) for seed in range(1, count + 1) for dataset in FLIP_SETS]
    return [Run("influence", config._asdict(), partial(flip_each, config)) for config in configs]


def show_noise(lines: list[Record], output: Output, _: Path) -> None:
    """The noise figure and its table."""
    output.table("noise", noise_table(lines))
    draw_noise(lines, NOISE_SETS, NOISES, output.picture("noise"))


TARGETS = {
    "alpha": Target(
        "RDIA on MNIST 1 vs 7, three alphas by four noise rates",
        5,
        lambda count: alpha_runs("mnist", count),
        lambda lines, output, _: output.table("alpha", alpha_table(lines, "mnist")),
    ),
    "cancer": Target(
        "the same on LIBSVM's breast-cancer",
        20,
        lambda count: alpha_runs("cancer", count),
        lambda lines, output, _: output.table("cancer", alpha_table(lines, "cancer")),
    ),
    "methods": Target(
        "all methods on logistic regression, on clean data",
        5,
        lambda count: comparisons(DATASETS, (0.0,), count),
        lambda lines, output, data_dir: output.table("methods", methods_table(lines, data_dir)),
    ),
    "noise": Target(
        "all methods on logistic regression, by noise rate",
        5,
        lambda count: comparisons(NOISE_SETS, NOISES, count),
        show_noise,
    ),
    "classes": Target(
        "softmax regression on all ten digits: ERM, Dropout, RDIA by R and by the best label",
        5,
        many_runs,
        lambda lines, output, _: output.table("classes", many_table(lines, f"softmax regression, C = {C:g}")),
    ),
    "influence": Target(
        "predicted against actual change of the validation loss",
        1,
        flip_runs,
        lambda lines, output, _: draw_influence(lines, output.picture("influence")),
    ),
}
