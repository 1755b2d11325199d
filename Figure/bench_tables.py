"""The tables of the bench, from its kept lines: docs/real-noise.md."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from Figure.bench import LEVELS, OURS
from Figure.bench_data import MADE_SETS, REAL_SETS
from Figure.bench_methods import OTHERS
from Figure.tables import markdown
from run.records import Record

COLUMNS = (OURS, *OTHERS)
SIMPLE = "ERM + Trusted"  # what a user would do otherwise
SCORES = {
    "p_wrong": "`p_wrong`",
    "phi": "Phi",
    "self_confidence": "self-confidence",
    "trusted_confidence": "by the trusted rows",
}
IN_README = ("ERM", "Trusted", SIMPLE, "CleanLearning + Trusted", OURS)  # in the README, with so many trusted rows:
FEW = 100
MUCH = 1.05  # a loss this much above the best other one is a clear defeat


class Group(NamedTuple):
    """The lines of one cell set: all seeds of a set, a kind of noise and a number of trusted rows."""

    dataset: str
    noise: str
    trusted: int
    lines: list[Record]

    def mean(self, method: str, name: str) -> float:
        """Of a metric of a method over the seeds; nan where the method was not run."""
        found = [line["methods"][method][name] for line in self.lines if method in line["methods"]]
        return float(np.mean(found)) if found else np.nan

    def title(self) -> list[str]:
        """The first cells of its row."""
        return [self.dataset, self.noise, str(self.trusted), str(len(self.lines))]


HEAD = ("set", "noise", "trusted rows", "n")


def groups(lines: Sequence[Record]) -> list[Group]:
    """One for each cell set that has lines, real noise first."""
    order = (*REAL_SETS, *MADE_SETS)
    keys = dict.fromkeys(
        (line["config"]["dataset"], line["config"]["noise"], line["config"]["trusted"])
        for line in sorted(lines, key=lambda line: (order.index(line["config"]["dataset"]), line["config"]["trusted"]))
    )
    return [
        Group(*key, [line for line in lines if tuple(line["config"][name] for name in ("dataset", "noise", "trusted")) == key])
        for key in keys
    ]


def metric_table(found: Sequence[Group], metric: str, digits: int, largest: bool = False) -> str:
    """The mean of a test metric, a row a cell set, a column a method; the best of a row in bold."""
    rows = []
    for group in found:
        means = [group.mean(method, metric) for method in COLUMNS]
        rows.append([*group.title(), *best_mean_in_bold(means, digits, largest)])
    return markdown([*HEAD, *COLUMNS], rows)


def best_mean_in_bold(means: Sequence[float], digits: int, largest: bool) -> list[str]:
    """Means of a row as cells, the best one before rounding in bold; "-" for nan."""
    best = np.nanmax(means) if largest else np.nanmin(means)
    shown = ["-" if np.isnan(mean) else f"{mean:.{digits}f}" for mean in means]
    return [f"**{cell}**" if mean == best else cell for cell, mean in zip(shown, means, strict=True)]


def real_table(found: Sequence[Group]) -> str:
    """The share of wrong labels and a few methods' accuracies on real noise with `FEW` trusted rows, for the README."""
    rows = []
    for group in found:
        if group.noise == "real" and group.trusted == FEW:
            line = group.lines[0]
            means = [group.mean(method, "accuracy") for method in IN_README]
            rows.append([group.dataset, f"{line['wrong'] / line['n_train']:.0%}", *best_mean_in_bold(means, 3, largest=True)])
    return markdown(["set", "wrong", *IN_README], rows)


class Against(NamedTuple):
    """Ours beside another method in one cell set."""

    method: str
    loss: float  # of the other
    ratio: float  # our loss to it
    behind: float  # standard errors that our metric is worse by: a mean difference over the mean error of one test set


def best_other(group: Group) -> Against:
    """Ours beside the method with the least mean loss on the test rows, which nobody knows beforehand."""
    return against(group, min(others_of(group), key=lambda name: group.mean(name, "log_loss")))


def others_of(group: Group) -> list[str]:
    """The other methods that were run."""
    return [name for name in OTHERS if not np.isnan(group.mean(name, "log_loss"))]


def against(group: Group, method: str) -> Against:
    """Ours beside a method, by log-loss."""
    ours, loss = group.mean(OURS, "log_loss"), group.mean(method, "log_loss")
    return Against(method, loss, ours / loss, over_error(ours - loss, group.mean(method, "se_loss")))


def most_accurate(group: Group) -> Against:
    """Ours beside the most accurate other method; `loss` is its accuracy."""
    method = max(others_of(group), key=lambda name: group.mean(name, "accuracy"))
    ours, best = group.mean(OURS, "accuracy"), group.mean(method, "accuracy")
    return Against(method, best, ours / best, over_error(best - ours, group.mean(method, "se_accuracy")))


def over_error(difference: float, error: float) -> float:
    """A difference in standard errors; 0 / 0 is 0."""
    return difference / error if error else np.sign(difference) * (np.inf if difference else 0.0)


def verdict_table(found: Sequence[Group]) -> str:
    """Ours beside the best other method with hindsight, a row a cell set, and in how many it loses."""
    rows = []
    for group in found:
        best, accurate, plain = best_other(group), most_accurate(group), against(group, SIMPLE)
        word = "wins" if best.ratio < 1 else "**loses**" if best.ratio > MUCH else "loses"
        cells = [f"{group.mean(OURS, 'log_loss'):.3f}", f"{best.loss:.3f}", best.method, f"{best.ratio:.3f}", word]
        rows.append([*group.title(), *cells, f"{-accurate.behind:+.1f}", accurate.method, f"{-plain.behind:+.1f}"])
    head = [*HEAD, OURS, "best other", "which", "ratio", "verdict", "accuracy, s.e.", "than", f"than {SIMPLE}, s.e."]
    return f"{summary(found)}\n\n{markdown(head, rows)}"


def summary(found: Sequence[Group]) -> str:
    """What the table comes to, against what was asked for."""
    if not found:
        return "0 cell sets."
    ratios = np.array([best_other(group).ratio for group in found])
    accurate = sum(most_accurate(group).behind <= 1 for group in found)
    worse = sum(against(group, SIMPLE).behind > 1 for group in found)
    return (
        f"{len(found)} cell sets. The loss of {OURS} over that of the best other method: geometric mean"
        f" {np.exp(np.mean(np.log(ratios))):.3f}, largest {ratios.max():.3f}; above 1 in {(ratios > 1).sum()}, above {MUCH:g} in"
        f" {(ratios > MUCH).sum()}. Its accuracy is at most one standard error below that of the most accurate other method in"
        f" {accurate}. Its loss is more than one standard error above that of {SIMPLE} in {worse}."
    )


def rank_table(lines: Sequence[Record]) -> str:
    """Mean rank of every method over the cells that have all methods, and CPU seconds."""
    whole = [line for line in lines if set(COLUMNS) <= set(line["methods"])]
    kinds = {"real noise": [line for line in whole if line["config"]["noise"] == "real"], "all": whole}
    rows = []
    for method in COLUMNS:
        cells = [
            f"{np.mean([ranks(line, name, sign)[method] for line in some]):.2f}" if some else "-"
            for name, sign in (("log_loss", 1), ("accuracy", -1))
            for some in kinds.values()
        ]
        seconds = [line["methods"][method]["seconds"] for line in whole]
        rows.append([method, *cells, f"{np.median(seconds):.1f}" if seconds else "-"])
    names = [f"{name}, {kind}" for name in ("log-loss", "accuracy") for kind in kinds]
    head = f"Mean rank, 1 is best, over {len(kinds['real noise'])} runs on real noise and {len(whole)} in all; median CPU seconds."
    return f"{head}\n\n{markdown(['method', *names, 'CPU seconds'], rows)}"


def ranks(line: Record, name: str, sign: int) -> dict[str, float]:
    """The rank of each method by a metric, equal values share one. sign: -1 where larger is better."""
    from scipy.stats import rankdata

    values = [sign * line["methods"][method][name] for method in COLUMNS]
    return dict(zip(COLUMNS, map(float, rankdata(values)), strict=True))


def precision_table(found: Sequence[Group]) -> str:
    """Average precision of each score, a row a cell set, the best of a row in bold."""
    rows, ratios, every = [], [], []
    for group in found:
        lines = [line["average_precision"] for line in group.lines if line["average_precision"]]
        if not lines:
            continue
        means = [float(np.mean([line[name] for line in lines])) for name in SCORES]
        ratios.append(means[0] / max(means[1:]))
        every.append(means)
        cells = [f"**{mean:.3f}**" if mean == max(means) else f"{mean:.3f}" for mean in means]
        rows.append([*group.title(), *cells, f"{ratios[-1]:.3f}"])
    if rows:
        rows.append(["mean", "", "", "", *(f"{mean:.3f}" for mean in np.mean(every, axis=0)), f"least {min(ratios):.3f}"])
    return markdown([*HEAD, *SCORES.values(), "`p_wrong` to the best of the three"], rows)


def by_noise(lines: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
    """The lines of each real set, and of each kind of made noise."""
    for name in (*REAL_SETS, *dict.fromkeys(line["config"]["noise"] for line in lines if line["config"]["noise"] != "real")):
        some = [line for line in lines if name in (line["config"]["dataset"], line["config"]["noise"])]
        if some:
            yield name, some


def lists_table(lines: Sequence[Record]) -> str:
    """Realised false discovery rate and power at each level, by noise."""
    rows = []
    for name, some in by_noise(lines):
        cells = []
        for q in LEVELS:
            found = [(line["lists"][str(q)], line["wrong"]) for line in some]
            false = [1 - each["wrong"] / each["listed"] if each["listed"] else 0.0 for each, _ in found]
            power = [each["wrong"] / wrong for each, wrong in found if wrong]
            cells += [with_error(false), f"{np.mean(power):.2f}" if power else "-"]
        rows.append([name, str(len(some)), *cells])
    return markdown(["noise", "n", *(f"{name}, q = {q:g}" for q in LEVELS for name in ("right among listed", "power"))], rows)


def with_error(values: Sequence[float]) -> str:
    """`mean ± standard error`."""
    error = f" ± {np.std(values, ddof=1) / np.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{error}"


def count_table(lines: Sequence[Record]) -> str:
    """The number of wrong labels against its estimate and interval, and suggested labels, by noise."""
    rows = []
    for name, some in by_noise(lines):
        cells = [f"{percentage([line['wrong'] for line in some], some):.1f}"]
        cells += [f"{percentage([line['count'][key] for line in some], some):.1f}" for key in ("estimate", "low", "high")]
        covered = np.mean([line["count"]["low"] <= line["wrong"] <= line["count"]["high"] for line in some])
        given, right = (sum(line["suggested"][key] for line in some) for key in ("rows", "right"))
        wrong = sum(line["wrong"] for line in some)
        shown = [f"{right / given:.2f}", f"{right / wrong:.2f}"] if given and wrong else ["-", "-"]
        rows.append([name, str(len(some)), *cells, f"{covered:.2f}", *shown])
    head = ["noise", "n", "wrong, %", "estimate, %", "low, %", "high, %", "covered", "suggested: right", "of the wrong rows"]
    return markdown(head, rows)


def percentage(rows: Sequence[float], lines: Sequence[Record]) -> float:
    """The mean over lines of a number of rows, in per cent of all training rows."""
    return 100.0 * float(np.mean([number / line["n_train"] for number, line in zip(rows, lines, strict=True)]))
