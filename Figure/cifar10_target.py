"""The authors' other network: CIFAR-10 at 80% symmetric noise, the released CNN. It needs a GPU: on a CPU a run takes a day."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data.public import is_here
from Figure.deep_targets import ACCURACY_DIGITS, LOST, VARIANTS, last10, of_run, train_run
from Figure.lines import Run
from Figure.published import DEEP
from Figure.tables import markdown, mean_sd
from Figure.target import Target
from models.settings import FAST, Settings
from run.records import Record
from run.training_config import TrainingConfig

GAMMA = 0.05  # of the authors' command
# What is run, each with the number of its seeds, in the order in which it is run: a lent GPU may be given back before the end.
WANTED: dict[str, tuple[int, dict[str, Any]]] = {
    "rdia-ls": (5, {}),
    "rdia-ls, fast recipe": (5, FAST),
    "rdia-ls, balanced warm-up": (2, {"warmup": "balanced"}),
    "rdia-ls, corrected objective": (2, {"objective": "corrected"}),
    **{method: (2, VARIANTS[method]) for method in ("erm", "self-teaching", "co-teaching")},
    **{f"rdia-ls, fast recipe, gamma {gamma:g}": (2, {**FAST, "gamma": gamma}) for gamma in (0.2, 0.5, 0.8)},
}


def cifar10_run(seed: int, **changes: Any) -> Run:
    """The authors' CIFAR-10 command with some settings changed; it is run only where `cifar10_possible`."""
    settings = Settings(gamma=GAMMA, forget_rate=0.8, discard_rate=0.4)
    config = TrainingConfig("cifar10", 0.8, "symmetric", seed, "cnn", settings._replace(**changes))
    return Run("cifar10", config.flat(), partial(train_run, config), cifar10_possible)


def cifar10_possible(data_dir: Path) -> bool:
    """Whether CIFAR-10 has been downloaded and there is a GPU."""
    import torch

    return torch.cuda.is_available() and is_here("cifar10", data_dir)


def cifar10_runs(count: int) -> list[Run]:
    """The first seed of everything, then the second, and so on. count: of seeds, at most."""
    return [cifar10_run(seed, **changes) for seed in range(1, count + 1) for most, changes in WANTED.values() if seed <= most]


def cifar10_table(lines: Sequence[Record]) -> str:
    """Last-ten and best test accuracy, a row a variant that has been run."""
    rows = []
    for name, (_, changes) in WANTED.items():
        mine = of_run(lines, cifar10_run(1, **changes))
        if mine:
            best = mean_sd([line["best"] for line in mine], ACCURACY_DIGITS)
            rows.append([name, str(len(mine)), last10(mine), best, str(mine[0]["epochs"])])
    rows.append(["rdia-ls, published", "-", DEEP["cifar10", "symmetric", 0.8], "-", "200"])
    head = f"CIFAR-10, CNN, 80% symmetric noise, gamma {GAMMA}: test accuracy %, mean ± sd over seeds. {LOST}"
    return f"{head}\n\n{markdown(['variant', 'seeds', 'last ten', 'best epoch', 'epochs'], rows)}"


TARGETS = {
    "cifar10": Target(
        "RDIA-LS and others on CIFAR-10; needs a GPU",
        5,
        cifar10_runs,
        lambda lines, output, _: output.table("cifar10", cifar10_table(lines)),
    )
}
