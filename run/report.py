"""The report of one run, for a terminal."""

from collections.abc import Mapping

import numpy as np

from data.dataset import Dataset
from data.matrix import density
from run.records import Record

LISTED = 4  # classes whose rows are counted one by one


def describe(name: str, dataset: Dataset) -> str:
    """Sizes and class balance of each part."""
    parts = {"training": dataset.train, "validation": dataset.validation, "test": dataset.test}
    lines = [f"{name}: {dataset.train.x.shape[1]:,} features, {density(dataset.train.x):.0%} of them filled"]
    for role, part in parts.items():
        counts = np.bincount(part.labels, minlength=len(dataset.classes))
        of = ", ".join(f"{count:,} of class {name}" for name, count in zip(dataset.classes, counts, strict=True))
        if len(counts) > LISTED:
            of = f"{len(counts)} classes of {counts.min():,} to {counts.max():,}"
        lines.append(f"  {role:<10} {len(part.labels):>9,} rows: {of}")
    return "\n".join(lines)


DONE = {"R": "relabeled", "best": "relabeled to the best label", "drop": "left out"}


def results_table(record: Record, flipped: int) -> str:
    """Methods by metrics, what was relabeled, and the seconds of each stage."""
    n = record["n_train"]
    title = f"{record['dataset']}, noise {record['noise']:g} ({flipped:,} of {n:,} training labels flipped), seed {record['seed']}"
    head = f"{'':<9}{'validation':^29}  {'test':^29}"
    columns = f"{'method':<9}" + "  ".join([f"{'log-loss':>9}{'accuracy':>11}{'AUC':>9}"] * 2)
    rows = [
        f"{name:<9}" + "  ".join(_metric_cells(splits[split]) for split in ("validation", "test"))
        for name, splits in record["methods"].items()
    ]
    relabeled = f"{DONE[record.get('relabel', 'R')]} {record['relabeled']:,} of {n:,} (Phi > alpha = {record['alpha']:g})"
    decided = [_decided(record["decided"])] if "decided" in record else []
    seconds = "seconds: " + ", ".join(f"{stage} {value:.2f}" for stage, value in record["seconds"].items())
    return "\n".join(
        [title, "", head, columns, *rows, "", relabeled + _found(record, flipped), *decided, *_curvature(record), seconds]
    )


def _curvature(record: Record) -> list[str]:
    """What was added to a network's curvature, and how well it is inverted."""
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
        return "; no label was flipped on purpose, so how many of them are wrong is not known"
    ratios = {name: record[name] for name in ("precision", "recall")}
    shown = {name: "-" if value is None else f"{value:.4f}" for name, value in ratios.items()}
    found = "".join(f", {name} {value}" for name, value in shown.items()) + " against the flipped"
    right = record.get("right")
    if record.get("classes", 2) == 2 or record["relabel"] == "drop" or right is None:
        return found
    return f"{found}; of the suggested labels {right:.4f} are the true ones"


def _decided(found: Mapping[str, int | None]) -> str:
    text = f"decided {found['labels']:,} labels by hand, {found['changed']:,} of them changed"
    return text if found["right"] is None else f"{text}; {found['right']:,} are the true ones"


def training_summary(record: Record) -> str:
    """What a training run ended with, as text."""
    noise = f"{record['noise_rate']:.0%} {record['noise_type']} noise"
    if record["noise_type"] == "none":
        noise = f"labels as they are, {record['noise_rate']:.0%} of them taken to be wrong"
    settings = f"gamma {record['gamma']:g}, objective {record['objective']}, " if record["method"] == "rdia-ls" else ""
    shares = zip(record["classes"], record["test_recall"], strict=True)
    recall = ", ".join(f"{name}: {'-' if value is None else format(value, '.1f')}" for name, value in shares)
    lines = [
        f"{record['method']} on {record['dataset']}, {noise}, {settings}seed {record['seed']}",
        f"test accuracy: {record['last10']:.2f}% (mean of the last ten of {record['epochs']} epochs), best {record['best']:.2f}%",
        f"test recall of each class, last epoch, %: {recall}",
        *(f"{text}: {record[key]:.4f}" for key, text in KNOWN_SHARES.items() if record[key] is not None),
        f"suspects, to which it gives another label in the end: {record['suspects']:,}{_of_the_wrong(record)}",
        f"seconds: {record['seconds']:.1f}",
    ]
    return "\n".join(lines) + "\n"


def _of_the_wrong(record: Record) -> str:
    """What is known of the suspects where labels were changed on purpose."""
    shown = (f", {name} {record[name]:.4f}" for name in ("precision", "recall") if record[name] is not None)
    return "".join([*shown, " against the wrong"]) if record["recall"] is not None else ""


KNOWN_SHARES = {
    "clean_share_kept": "of the training labels kept as clean, truly clean in the last epoch",
    "wrong_share_relabeled": "of those relabeled, truly wrong",
}
