"""The authors' other network: CIFAR-10 at 80% symmetric noise, the released CNN. It needs a GPU: on a CPU a run takes a day."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from Figure.deep_targets import ACCURACY_DIGITS, LOST, cifar10_possible, last10, of_run, train_run
from Figure.lines import Run
from Figure.published import DEEP
from Figure.tables import markdown, mean_sd
from Figure.target import Target
from models.settings import FAST, Settings, with_rate
from run.records import Record
from run.training_config import TrainingConfig

GAMMA, NOISE_RATE = 0.05, 0.8  # of the authors' command
METHODS_BESIDE = ("erm", "self-teaching", "co-teaching")


class Wanted(NamedTuple):
    """A row of the table."""

    seeds: int  # how many are run
    changes: dict[str, Any]  # of the released settings
    noise_rate: float = NOISE_RATE

    def run(self, seed: int) -> Run:
        """The run of one seed."""
        return cifar10_run(seed, self.noise_rate, **self.changes)


# In the order in which they are run: a lent GPU may be given back before the end.
WANTED: dict[str, Wanted] = {
    "rdia-ls": Wanted(5, {}),
    "rdia-ls, fast recipe": Wanted(5, FAST),
    **{f"{method}, fast recipe": Wanted(2, {**FAST, "method": method}) for method in METHODS_BESIDE},
    "rdia-ls, fast recipe, corrected objective": Wanted(2, {**FAST, "objective": "corrected"}),
    "rdia-ls, fast recipe, crops and flips": Wanted(2, {**FAST, "augment": "both"}),
    "erm, fast recipe, 20% noise": Wanted(2, {**FAST, "method": "erm"}, 0.2),
    "rdia-ls, fast recipe, 20% noise": Wanted(2, FAST, 0.2),
    "rdia-ls, fast recipe, crops and flips, 20% noise": Wanted(2, {**FAST, "augment": "both"}, 0.2),
    "rdia-ls, balanced warm-up": Wanted(2, {"warmup": "balanced"}),
    "rdia-ls, corrected objective": Wanted(2, {"objective": "corrected"}),
    **{method: Wanted(2, {"method": method}) for method in METHODS_BESIDE},
    **{f"rdia-ls, fast recipe, gamma {gamma:g}": Wanted(2, {**FAST, "gamma": gamma}) for gamma in (0.2, 0.5, 0.8)},
}


def cifar10_run(seed: int, noise_rate: float = NOISE_RATE, **changes: Any) -> Run:
    """The authors' CIFAR-10 command with some settings changed; it is run only where `cifar10_possible`."""
    settings = with_rate(Settings(gamma=GAMMA), noise_rate)
    config = TrainingConfig("cifar10", noise_rate, "symmetric", seed, "cnn", settings._replace(**changes))
    return Run("cifar10", config.flat(), partial(train_run, config), cifar10_possible)


def cifar10_runs(count: int) -> list[Run]:
    """The first seed of everything, then the second, and so on. count: of seeds, at most."""
    return [variant.run(seed) for seed in range(1, count + 1) for variant in WANTED.values() if seed <= variant.seeds]


def cifar10_table(lines: Sequence[Record]) -> str:
    """Last-ten and best test accuracy, precision and recall of the suspects, a row a variant that has been run."""
    rows = []
    for name, variant in WANTED.items():
        mine = of_run(lines, variant.run(1))
        if mine:
            best = mean_sd([line["best"] for line in mine], ACCURACY_DIGITS)
            found = [mean_sd([line[what] for line in mine], 3) for what in ("precision", "recall")]
            rows.append([name, str(len(mine)), last10(mine), best, *found, str(mine[0]["epochs"])])
    rows.append(["rdia-ls, published", "-", DEEP["cifar10", "symmetric", NOISE_RATE], "-", "-", "-", "200"])
    head = (
        f"CIFAR-10, CNN, {NOISE_RATE:.0%} symmetric noise unless named, gamma {GAMMA}: test accuracy %, precision and recall"
        f" of the suspects, mean ± sd over seeds. {LOST}"
    )
    columns = ["variant", "seeds", "last ten", "best epoch", "precision", "recall", "epochs"]
    return f"{head}\n\n{markdown(columns, rows)}"


TARGETS = {
    "cifar10": Target(
        "RDIA-LS and others on CIFAR-10; needs a GPU",
        5,
        cifar10_runs,
        lambda lines, output, _: output.table("cifar10", cifar10_table(lines)),
    )
}
