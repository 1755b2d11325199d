"""The results of one run as text."""

from collections.abc import Mapping

import numpy as np

from data.dataset import Dataset
from data.matrix import density
from run.records import Record

LISTED = 4  # classes: with more, only the smallest and the largest count are shown


def describe(name: str, dataset: Dataset) -> str:
    """Rows and classes of each part of the data."""
    parts = {"training": dataset.train, "validation": dataset.validation, "test": dataset.test}
    lines = [f"{name}: {dataset.train.x.shape[1]:,} features, {density(dataset.train.x):.0%} of them filled"]
    for role, part in parts.items():
        if not len(part.labels):
            continue
        counts = np.bincount(part.labels, minlength=len(dataset.classes))
        of = ", ".join(f"{count:,} of class {name}" for name, count in zip(dataset.classes, counts, strict=True))
        if len(counts) > LISTED:
            of = f"{len(counts)} classes of {counts.min():,} to {counts.max():,}"
        lines.append(f"  {role:<10} {len(part.labels):>9,} rows: {of}")
    return "\n".join(lines)


DONE = {"R": "relabeled", "best": "relabeled to the best label", "drop": "left out"}


def results_table(record: Record, flipped: int) -> str:
    """A table of metrics by method, how many labels were changed, and the seconds of each stage."""
    n = record["n_train"]
    title = f"{record['dataset']}, noise {record['noise']:g} ({flipped:,} of {n:,} training labels flipped), seed {record['seed']}"
    head = f"{'':<9}{'validation':^29}  {'test':^29}"
    columns = f"{'method':<9}" + "  ".join([f"{'log-loss':>9}{'accuracy':>11}{'AUC':>9}"] * 2)
    rows = [
        f"{name:<9}" + "  ".join(_metric_cells(splits[split]) for split in ("validation", "test"))
        for name, splits in record["methods"].items()
    ]
    relabel = record.get("relabel", "R")
    what = f"{record['relabeled']:,} suspects" if relabel == "drop" else f"{record['relabeled']:,}"
    relabeled = f"{DONE[relabel]} {what} of {n:,} (Phi > alpha = {record['alpha']:g})"
    decided = [_decided(record["decided"])] if "decided" in record else []
    seconds = "seconds: " + ", ".join(f"{stage} {value:.2f}" for stage, value in record["seconds"].items())
    return "\n".join(
        [title, "", head, columns, *rows, "", relabeled + _found(record, flipped), *decided, *_curvature(record), seconds]
    )


def repair_table(record: Record) -> str:
    """Metrics by method on the trusted rows, held out, and on test rows; how many labels are wrong, and the listed suspects."""
    n, wrong = record["n_train"], record["wrong_labels"]
    heads = {"trusted": f"{record['n_trusted']:,} trusted rows, held out", "test": f"{record['n_test']:,} test rows"}
    parts = [part for part in heads if part in record["methods"]["Repaired"]]
    head = f"{'':<14}" + "  ".join(f"{heads[part]:^29}" for part in parts)
    columns = f"{'method':<14}" + "  ".join([f"{'log-loss':>9}{'accuracy':>11}{'AUC':>9}"] * len(parts))
    rows = [
        f"{name:<14}" + "  ".join(_metric_cells(metrics[part]) for part in parts) for name, metrics in record["methods"].items()
    ]
    table = [head.rstrip(), columns, *rows, ""] if parts else []
    of = f"the {n - record['decided']['labels']:,} that nobody decided" if "decided" in record else f"{n:,}"
    about = f"wrong labels: about {wrong['estimate']:,.0f} of {of}{between(wrong)}"
    suspects = f"suspects: {record['listed']:,}"
    if record["fdr"] is not None:
        promise = f"of which at most {record['fdr']:.0%} are right, in expectation"
        suspects = f"{suspects}, {promise}" if record["listed"] else f"suspects: no list can be made {promise}"
    if record["recall"] is not None:
        shown = (f"{name} {'-' if record[name] is None else format(record[name], '.4f')}" for name in ("precision", "recall"))
        suspects += f"; {', '.join(shown)} against the flipped labels"
    seconds = "seconds: " + ", ".join(f"{stage} {value:.2f}" for stage, value in record["seconds"].items())
    labels = f"noise {record['noise']:g}" if record["noise"] else "labels as given"
    title = f"{record['dataset']}, protocol auto, {labels}, seed {record['seed']}"
    decided = [_decided(record["decided"])] if "decided" in record else []
    return "\n".join([title, "", *table, seconds, *decided, about, suspects])


def between(wrong: Mapping[str, float | None]) -> str:
    """The interval of the number of wrong labels, if there is one."""
    return "" if wrong["low"] is None else f", between {wrong['low']:,.0f} and {wrong['high']:,.0f}"


def _curvature(record: Record) -> list[str]:
    """The damping of a network's curvature, and the residual of the solve."""
    if "damping" not in record:
        return []
    share = record["damping"] / record["largest_eigenvalue"]
    return [
        f"{record['model']}: damping {record['damping']:.4g}, {share:.3g} of the curvature's largest eigenvalue"
        f" ({record['largest_eigenvalue']:.4g}); relative residual {record['residual']:.1e}"
    ]


def _metric_cells(metrics: Mapping[str, float | None]) -> str:
    auc = "-" if metrics["auc"] is None else f"{metrics['auc']:.4f}"
    return f"{metrics['log_loss']:>9.4f}{metrics['accuracy']:>11.4f}{auc:>9}"


def _found(record: Record, flipped: int) -> str:
    if not flipped:
        return "; without injected noise precision and recall are not known"
    ratios = {name: record[name] for name in ("precision", "recall")}
    shown = {name: "-" if value is None else f"{value:.4f}" for name, value in ratios.items()}
    found = "".join(f", {name} {value}" for name, value in shown.items()) + " against the flipped labels"
    right = record.get("right")
    if record.get("classes", 2) == 2 or record["relabel"] == "drop" or right is None:
        return found
    return f"{found}; {right:.4f} of the suggested labels are right"


def _decided(found: Mapping[str, int | None]) -> str:
    text = f"{found['labels']:,} labels decided by a person, {found['changed']:,} of them changed"
    return text if found["right"] is None else f"{text}; {found['right']:,} are right"


def training_summary(record: Record) -> str:
    """The results of a training run as text."""
    noise = f"{record['noise_rate']:.0%} {record['noise_type']} noise"
    if record["noise_type"] == "none":
        noise = f"labels as given, {record['noise_rate']:.0%} of them assumed wrong"
    settings = f"gamma {record['gamma']:g}, objective {record['objective']}, " if record["method"] == "rdia-ls" else ""
    shares = zip(record["classes"], record["test_recall"], strict=True)
    recall = ", ".join(f"{name}: {'-' if value is None else format(value, '.1f')}" for name, value in shares)
    accuracy = "accuracy against labels as given" if "test_labels" in record else "test accuracy"
    lines = [
        f"{record['method']} on {record['dataset']}, {noise}, {settings}seed {record['seed']}",
        f"{accuracy}: {record['last10']:.2f}% (mean of the last ten of {record['epochs']} epochs), best {record['best']:.2f}%",
        f"{'recall' if 'test_labels' in record else 'test recall'} of each class in the last epoch, %: {recall}",
        *(f"{text}: {record[key]:.4f}" for key, text in KNOWN_SHARES.items() if record[key] is not None),
        f"suspects, for which the network predicts another label: {record['suspects']:,}{_of_the_wrong(record)}",
        *([_decided(record["decided"])] if "decided" in record else []),
        f"seconds: {record['seconds']:.1f}",
    ]
    return "\n".join(lines) + "\n"


def _of_the_wrong(record: Record) -> str:
    """Precision and recall of the suspects, if noise was injected."""
    shown = (f", {name} {record[name]:.4f}" for name in ("precision", "recall") if record[name] is not None)
    return "".join([*shown, " against the wrong labels"]) if record["recall"] is not None else ""


KNOWN_SHARES = {
    "clean_share_kept": "share of the labels kept as clean that are right, last epoch",
    "wrong_share_relabeled": "share of the relabeled ones that were wrong, last epoch",
}
