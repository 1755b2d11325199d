"""Tables as Markdown, and their places in the documents."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.errors import InputError
from run.records import ROOT, Record, write_text

FAR = 0.10  # relative: cells further than this from the published value are marked


def mean_sd(values: Sequence[float], digits: int = 4) -> str:
    """`mean ± sample standard deviation`; only the mean for one value; a dash for none."""
    if not len(values):
        return "-"
    spread = f" ± {sample_sd(values):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def sample_sd(values: npt.ArrayLike) -> np.ndarray:
    """Standard deviation over the first axis of (n, ...), with n - 1 in the denominator; 0 for n = 1."""
    found = np.asarray(values, dtype=float)
    return found.std(axis=0, ddof=min(1, len(found) - 1))


def marked(values: Sequence[float], published: float) -> str:
    """`mean_sd`, in bold if the mean is more than a tenth off the published value; nan: none is published."""
    far = len(values) and abs(np.mean(values) / published - 1) > FAR
    return f"**{mean_sd(values)}**" if far else mean_sd(values)


def seeds(lines: Sequence[Record]) -> str:
    """How many seeds each cell has: `n = 5 seeds`, or `n = 3 to 5 seeds` if some are still to be run."""
    counts = Counter(str({name: value for name, value in line["config"].items() if name != "seed"}) for line in lines).values()
    if not counts:
        return "n = 0 seeds"
    low, high = min(counts), max(counts)
    return f"n = {high} seed{'s' * (high > 1)}" if low == high else f"n = {low} to {high} seeds"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def documents() -> list[Path]:
    """README.md and the pages of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def place_of(name: str) -> Path:
    """The document with the lines <!-- name --> and <!-- /name -->, between which the table goes. Raises `InputError`."""
    for path in documents():
        if f"<!-- {name} -->\n" in path.read_text():
            return path
    raise InputError(f"docs/: no page has a place for the table {name}; add the lines <!-- {name} --> and <!-- /{name} --> to one")


def paste(text: str, name: str, table: str) -> str:
    """`text` with `table` between `<!-- name -->` and `<!-- /name -->`."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return marks.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text)


def paste_into(path: Path, name: str, table: str) -> None:
    """Put a table into its place in a document. Raises `InputError` if it cannot be written."""
    write_text(path, paste(path.read_text(), name, table))
