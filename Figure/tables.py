"""Markdown tables from result lines, and their place in the README."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.errors import InputError
from data.files import replacing
from Figure.published import MNIST_ALPHA
from Figure.results import Record

ALPHAS = (0.01, 0.002, 0.0002)
NOISES = (0.0, 0.2, 0.5, 0.8)
TOLERANCE = 0.10  # of a published value: a cell further off is marked


def mean_sd(values: Sequence[float]) -> str:
    """`mean ± sample standard deviation`; the mean alone for one value."""
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{spread}"


def alpha_table(records: Sequence[Record], dataset: str) -> str:
    """Test log-loss of RDIA by alpha and noise beside ERM, Random and Dropout; for MNIST also the published values."""
    rows = [["method", "alpha", *(f"noise {noise:g}" for noise in NOISES)], ["---"] * (2 + len(NOISES))]
    for alpha in ALPHAS:
        losses = [_losses(records, "RDIA", alpha, noise) for noise in NOISES]
        published = [MNIST_ALPHA[alpha, noise] if dataset == "mnist" else np.nan for noise in NOISES]
        if dataset == "mnist":
            rows.append(["RDIA, published", f"{alpha:g}", *(f"{value:.4f}" for value in published)])
        rows.append(["RDIA", f"{alpha:g}", *(_marked(cell, value) for cell, value in zip(losses, published, strict=True))])
        counts = [[record["relabeled"] for record in _cell(records, alpha, noise)] for noise in NOISES]
        rows.append(["relabeled", f"{alpha:g}", *(f"{np.mean(count):,.0f}" for count in counts)])
    others = [("Random", alpha, f"{alpha:g}") for alpha in ALPHAS] + [(name, ALPHAS[0], "") for name in ("ERM", "Dropout")]
    for method, alpha, shown in others:
        rows.append([method, shown, *(mean_sd(_losses(records, method, alpha, noise)) for noise in NOISES)])
    n = len({record["seed"] for record in records})
    head = (
        f"{dataset}: test log-loss, mean ± sd of n = {n} seeds, C = {records[0]['C']:g}; relabeled: of {records[0]['n_train']:,}."
    )
    return "\n".join([head, "", *("| " + " | ".join(row) + " |" for row in rows)])


def _cell(records: Sequence[Record], alpha: float, noise: float) -> list[Record]:
    return [record for record in records if (record["alpha"], record["noise"]) == (alpha, noise)]


def _losses(records: Sequence[Record], method: str, alpha: float, noise: float) -> list[float]:
    return [record["methods"][method]["test"]["log_loss"] for record in _cell(records, alpha, noise)]


def _marked(values: list[float], published: float) -> str:
    """A cell, in bold where its mean is more than a tenth off the published value (nan: none is)."""
    far = abs(np.mean(values) / published - 1) > TOLERANCE
    return f"**{mean_sd(values)}**" if far else mean_sd(values)


def paste(readme: str, name: str, table: str) -> str:
    """`readme` with `table` between `<!-- name -->` and `<!-- /name -->`. Raises `InputError` if the marks are not there."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not marks.search(readme):
        raise InputError(f"README.md: has no place for the table '{name}'; expected the lines <!-- {name} --> and <!-- /{name} -->")
    return marks.sub(lambda found: f"{found[1]}{table}\n{found[2]}", readme)


def paste_into(path: Path, name: str, table: str) -> None:
    """Put a table into its place in a Markdown file."""
    text = paste(path.read_text(), name, table)
    with replacing(path) as file:
        file.write(text.encode())
