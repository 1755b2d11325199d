"""The targets on networks, MNIST with the released MLP: deep, warmup, gamma, objective, networks, recipe.

Only the functions that make runs import torch: tables and pictures of what is kept do without.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data.noise import NoiseType
from data.public import is_here
from Figure.gamma_plot import draw_gamma
from Figure.linear_targets import MANY_NOISES, many_table
from Figure.lines import Run, config_key
from Figure.many import MANY_METHODS
from Figure.on_network import OnNetwork, relabel_on_network
from Figure.published import DEEP
from Figure.recipe import recipe_runs, recipe_table
from Figure.tables import markdown, mean_sd, seeds
from Figure.target import Target
from models.settings import FAST, METHODS, OBJECTIVES, Settings, with_rate
from run.records import Record
from run.training_config import LOST_BELOW, TrainingConfig

CROPS: dict[str, Any] = {**FAST, "augment": "crop"}
# The other methods, RDIA-LS as released, and RDIA-LS with changed settings.
VARIANTS: dict[str, dict[str, Any]] = {
    **{method: {"method": method} for method in METHODS[1:]},
    "rdia-ls": {},
    "rdia-ls, balanced warm-up": {"warmup": "balanced"},
    "rdia-ls, fast recipe": FAST,
    "rdia-ls, fast recipe, crops": CROPS,
    "rdia-ls, crops, 80 epochs": {**CROPS, "n_epoch": 80, "epoch_decay_start": 32},
}
WARMUP_VARIANTS = tuple(name for name in VARIANTS if name.startswith("rdia-ls"))
DEEP_NOISES: tuple[tuple[NoiseType, float], ...] = (("symmetric", 0.2), ("symmetric", 0.5), ("symmetric", 0.8), ("pairflip", 0.45))
GAMMAS = (0.2, 0.4, 0.6, 0.8)
GAMMA_RATES = (0.2, 0.8)
MNIST_SETTINGS = "MNIST, MLP, gamma 0.2, weight decay 1e-5"
MLP_SETTINGS = "MLP, 10 epochs, 1,000 validation samples; RDIA-LS by its fast recipe, 40 epochs"
ACCURACY_DIGITS = 2  # of an accuracy in %
LOST = "In brackets: seeds that lose a class."


def train_run(config: TrainingConfig, data_dir: Path) -> Record:
    """Train on the GPU if there is one, else on one core, and return what `RDIA-LS.py --json` prints."""
    import torch

    from models.devices.device import choose_device
    from run.rdia_ls import run_training

    device = choose_device(None)
    torch.set_num_threads(1)
    return {**run_training(config._replace(data_dir=data_dir), device).record, "device": str(device)}


def cifar10_possible(data_dir: Path) -> bool:
    """Whether CIFAR-10 has been downloaded and there is a GPU."""
    import torch

    return torch.cuda.is_available() and is_here("cifar10", data_dir)


def mnist_run(noise: tuple[NoiseType, float], seed: int, gamma: float = 0.2, **changes: Any) -> Run:
    """The authors' MNIST command with some settings changed."""
    kind, noise_rate = noise
    settings = with_rate(Settings(gamma=gamma, weight_decay=1e-5), noise_rate)
    config = TrainingConfig("mnist", noise_rate, kind, seed, "mlp", settings._replace(**changes))
    return Run("deep", config.flat(), partial(train_run, config))


def deep_runs(count: int) -> list[Run]:
    """All methods at all noises on MNIST."""
    seeds_and_changes = itertools.product(range(1, count + 1), VARIANTS.values())
    return [mnist_run(noise, seed, **changes) for seed, changes in seeds_and_changes for noise in DEEP_NOISES]


def deep_table(lines: Sequence[Record]) -> str:
    """Last-ten test accuracy, a row a method, a column a data set and a noise."""
    columns = {f"mnist {rate:.0%} {kind}": partial(mnist_run, (kind, rate), 1) for kind, rate in DEEP_NOISES}
    published = [DEEP.get(("mnist", *noise), "-") for noise in DEEP_NOISES]
    rows = [
        [name, *(last10(of_run(lines, column(**changes))) for column in columns.values())] for name, changes in VARIANTS.items()
    ]
    rows.append(["rdia-ls, published", *published])
    head = f"Test accuracy %, mean of the last ten epochs, mean ± sd of {seeds(lines)}. {MNIST_SETTINGS}. {LOST}"
    return f"{head}\n\n{markdown(['method', *columns], rows)}"


def of_run(lines: Sequence[Record], run: Run) -> list[Record]:
    """The lines whose configuration is that of a run, but for the seed."""
    wanted = config_key(run.config, but="seed")
    return [line for line in lines if config_key(line["config"], but="seed") == wanted]


def last10(lines: Sequence[Record]) -> str:
    """Last-ten accuracy, mean ± sd, and how many of the seeds lose a class."""
    lost = sum(map(loses_a_class, lines))
    return mean_sd([line["last10"] for line in lines], ACCURACY_DIGITS) + (f" ({lost} of {len(lines)})" if lost else "")


def loses_a_class(line: Record) -> bool:
    """Whether some class has a test recall below 5% in the last epoch."""
    return any(value is not None and value < LOST_BELOW for value in line["test_recall"])


def warmup_runs(count: int) -> list[Run]:
    """RDIA-LS as released, with the balanced warm-up, and by the fast recipe, at all rates of symmetric noise."""
    return [
        mnist_run(noise, seed, **VARIANTS[name])
        for seed in range(1, count + 1)
        for name in WARMUP_VARIANTS
        for noise in DEEP_NOISES
        if noise[0] == "symmetric"
    ]


def warmup_table(lines: Sequence[Record]) -> str:
    """Last-ten accuracy of all seeds and of those that lose no class, a row a variant and noise rate."""
    rows = []
    for noise, name in itertools.product(DEEP_NOISES, WARMUP_VARIANTS):
        mine = of_run(lines, mnist_run(noise, 1, **VARIANTS[name]))
        if mine:
            rows.append([name, f"{noise[1]:.0%}", str(len(mine)), *_spreads(mine), str(mine[0]["epochs"])])
    columns = ["last ten, all seeds", "seeds that lose a class", "last ten, the others", "best epoch"]
    head = f"{MNIST_SETTINGS}, symmetric noise: test accuracy %, mean ± sd over seeds."
    return f"{head}\n\n{markdown(['variant', 'noise', 'seeds', *columns, 'epochs'], rows)}"


def _spreads(lines: Sequence[Record]) -> list[str]:
    kept = [line["last10"] for line in lines if not loses_a_class(line)]
    last, best = [line["last10"] for line in lines], [line["best"] for line in lines]
    return [
        mean_sd(last, ACCURACY_DIGITS),
        str(len(lines) - len(kept)),
        mean_sd(kept, ACCURACY_DIGITS),
        mean_sd(best, ACCURACY_DIGITS),
    ]


def gamma_runs(count: int) -> list[Run]:
    """RDIA-LS with the balanced warm-up at four gammas: with the released one, lost classes would hide its effect."""
    return [
        mnist_run(("symmetric", noise_rate), seed, gamma, warmup="balanced")
        for seed in range(1, count + 1)
        for noise_rate in GAMMA_RATES
        for gamma in GAMMAS
    ]


def objective_runs(count: int) -> list[Run]:
    """The released and the corrected loss at 80% noise."""
    return [mnist_run(("symmetric", 0.8), seed, objective=objective) for seed in range(1, count + 1) for objective in OBJECTIVES]


def objective_table(lines: Sequence[Record]) -> str:
    """Last-ten accuracy by objective, over the seeds for which both have been run."""
    runs = {name: mnist_run(("symmetric", 0.8), 1, objective=name) for name in OBJECTIVES}
    by = {name: {line["seed"]: line for line in of_run(lines, run)} for name, run in runs.items()}
    both = sorted(set(by["released"]) & set(by["corrected"]))
    rows = [[name, *_spreads([by[name][seed] for seed in both])] for name in by]
    head = (
        f"{MNIST_SETTINGS}, 80% symmetric noise: test accuracy %, mean ± sd of n = {len(both)} seeds that have been run with both."
    )
    columns = ["last ten, all seeds", "seeds that lose a class", "last ten, the others", "best epoch"]
    return f"{head}\n\n{markdown(['objective', *columns], rows)}"


def network_runs(count: int) -> list[Run]:
    """RDIA by influence on the MLP, all ten digits."""
    configs = [OnNetwork("mnist10", noise, seed) for seed in range(1, count + 1) for noise in MANY_NOISES]
    return [Run("networks", config._asdict(), partial(relabel_on_network, config)) for config in configs]


TARGETS = {
    "deep": Target(
        "last-ten test accuracy of all network methods",
        3,
        deep_runs,
        lambda lines, output, _: output.table("deep", deep_table(lines)),
    ),
    "warmup": Target(
        "RDIA-LS as released, with the balanced warm-up, and by the fast recipe",
        10,
        warmup_runs,
        lambda lines, output, _: output.table("warmup", warmup_table(lines)),
    ),
    "gamma": Target(
        "accuracy against epoch for four gammas (figure 3)",
        3,
        gamma_runs,
        lambda lines, output, _: draw_gamma(lines, GAMMA_RATES, GAMMAS, output.picture("gamma")),
    ),
    "objective": Target(
        "the released against the corrected loss",
        3,
        objective_runs,
        lambda lines, output, _: output.table("objective", objective_table(lines)),
    ),
    "networks": Target(
        "RDIA by influence on the MLP: ERM, Dropout, RDIA by R and by the best label, RDIA-LS",
        3,
        network_runs,
        lambda lines, output, _: output.table("networks", many_table(lines, MLP_SETTINGS, (*MANY_METHODS, "RDIA-LS"))),
    ),
    "recipe": Target(
        "how the fast recipe was chosen",
        1,
        recipe_runs,
        lambda lines, output, _: output.table("recipe", recipe_table(lines)),
    ),
}
