"""The targets that the documents need besides the paper's: README's tables, flags, suspects of RDIA-LS, the method's picture."""

from collections.abc import Sequence
from functools import partial

from Figure.deep_targets import VARIANTS, loses_a_class, mnist_run, train_run
from Figure.framework import draw_framework
from Figure.linear_targets import ALPHA_NOISES, alpha_runs, run_rdia
from Figure.lines import Run
from Figure.published import DEEP, MNIST_ALPHA
from Figure.tables import markdown, mean_sd
from Figure.target import Output, Target
from models.settings import METHODS, Settings, with_rate
from run.flags import flag_tables
from run.ls_flags import ls_parser
from run.rdia_flags import rdia_parser
from run.records import Record
from run.report import results_table
from run.training_config import TrainingConfig

DEMO = {"dataset": "wdbc", "noise": 0.4, "alpha": 0.0002, "seed": 1, "C": 0.1, "solver": "auto"}
HEADLINE_ALPHA = 0.0002  # of the authors' commands
HEADLINE_LS = {"as released": "rdia-ls", "balanced warm-up": "rdia-ls, balanced warm-up", "fast recipe": "rdia-ls, fast recipe"}
SUSPECT_METHODS = tuple(name for name in METHODS if name not in {"sigua", "f-correction"})
SUSPECT_NOISE = 0.4


def demo_runs(_: int) -> list[Run]:
    """`RDIA.py` without flags."""
    return [Run("demo", DEMO, partial(run_rdia, DEMO))]


def demo_table(line: Record) -> str:
    """What `RDIA.py` prints, but for the seconds."""
    flipped = int(line["noise"] * line["n_train"])
    shown = [text.rstrip() for text in results_table(line, flipped).splitlines() if not text.startswith("seconds")]
    return "\n".join(["```", *shown, "```"])


def headline_runs(count: int) -> list[Run]:
    """RDIA on MNIST 1 vs 7 and RDIA-LS on MNIST, by the authors' commands."""
    deep = [mnist_run(("symmetric", 0.8), seed, **VARIANTS[name]) for seed in range(1, count + 1) for name in HEADLINE_LS.values()]
    return [*(run for run in alpha_runs("mnist", count) if run.config["alpha"] == HEADLINE_ALPHA), *deep]


def headline_table(lines: Sequence[Record]) -> str:
    """Published beside measured, a row for each command of the authors on MNIST."""
    rows = []
    for noise in ALPHA_NOISES:
        mine = [line for line in lines if (line["config"].get("alpha"), line["config"].get("noise")) == (HEADLINE_ALPHA, noise)]
        losses = [line["methods"]["RDIA"]["test"]["log_loss"] for line in mine]
        published = f"{MNIST_ALPHA[HEADLINE_ALPHA, noise]:.4f}"
        rows.append([f"RDIA, 1 vs 7, {noise:.0%} noise", "test log-loss", published, mean_sd(losses), str(len(mine))])
    for text, name in HEADLINE_LS.items():
        wanted = {**Settings()._asdict(), **VARIANTS[name]}
        named = ("warmup", "n_epoch", "average")
        mine = [line for line in lines if "last10" in line and all(line["config"][key] == wanted[key] for key in named)]
        published = DEEP["mnist", "symmetric", 0.8] if name == "rdia-ls" else "-"
        measured = mean_sd([line["last10"] for line in mine], 2)
        rows.append([f"RDIA-LS, 80% noise, {text}", "test accuracy, %", published, measured, str(len(mine))])
    head = ["on MNIST", "metric", "published", "measured, mean ± sd", "seeds"]
    released = [line for line in lines if "last10" in line and line["config"]["warmup"] == "released"]
    return (
        f"{markdown(head, rows)}\n\nRDIA: alpha = {HEADLINE_ALPHA}, C = 0.1. RDIA-LS: gamma 0.2, weight decay 1e-5, mean of the"
        f" last ten epochs; as released, {sum(map(loses_a_class, released))} of {len(released)} seeds lose a class in the warm-up."
    )


def suspect_runs(count: int) -> list[Run]:
    """RDIA-LS and the methods beside it on the digits, by the balanced warm-up where they have one."""
    settings = with_rate(Settings(warmup="balanced"), SUSPECT_NOISE)
    configs = [
        TrainingConfig("digits", SUSPECT_NOISE, "symmetric", seed, "auto", settings._replace(method=method))
        for seed in range(1, count + 1)
        for method in SUSPECT_METHODS
    ]
    return [Run("suspects", config.flat(), partial(train_run, config)) for config in configs]


def suspects_table(lines: Sequence[Record]) -> str:
    """Precision and recall of the suspects, a row for each method."""
    rows = []
    for method in SUSPECT_METHODS:
        mine = [line for line in lines if line["method"] == method]
        cells = [mean_sd([line[name] for line in mine], 3) for name in ("precision", "recall")]
        rows.append([f"`{method}`", *cells, str(len(mine))])
    return markdown(["`--method`", "precision", "recall", "seeds"], rows)


def show_flags(output: Output) -> None:
    """The flags of both commands."""
    output.table("flags RDIA.py", flag_tables(rdia_parser()))
    output.table("flags RDIA-LS.py", flag_tables(ls_parser()))


def no_runs(_: int) -> list[Run]:
    """For a target that shows no results."""
    return []


TARGETS = {
    "demo": Target(
        "what `python RDIA.py` prints", 1, demo_runs, lambda lines, output, _: output.table("demo", demo_table(lines[0]))
    ),
    "headline": Target(
        "published beside measured, on MNIST",
        5,
        headline_runs,
        lambda lines, output, _: output.table("headline", headline_table(lines)),
    ),
    "suspects": Target(
        "precision and recall of the suspects of RDIA-LS",
        3,
        suspect_runs,
        lambda lines, output, _: output.table("suspects", suspects_table(lines)),
    ),
    "flags": Target("the tables of flags", 1, no_runs, lambda _, output, __: show_flags(output)),
    "framework": Target("the method's picture", 1, no_runs, lambda _, output, __: draw_framework(output.picture("framework"))),
}
