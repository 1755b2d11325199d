"""The list of targets: which of them makes which table or figure of the paper, where it is shown, and how long its runs took."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from Figure.lines import KEPT_LINES, Store
from Figure.tables import documents, markdown
from Figure.target import Output, Target
from run.records import ROOT, Record

OF_THE_PAPER = {
    "framework": "figure of the method",
    "alpha": "table in the README of the released code",
    "methods": "table of all methods on clean data",
    "noise": "figure of the loss against the noise rate",
    "deep": "table of all methods on networks",
    "gamma": "figure 3",
}


def seconds_of(line: Record) -> float:
    """How long a run took."""
    return sum(line["seconds"].values()) if isinstance(line["seconds"], dict) else line["seconds"]


def duration(lines: Sequence[Record]) -> str:
    """The time of all runs on one core, in words."""
    known = [line for line in lines if "seconds" in line]
    if not known:
        return "-"
    seconds = sum(map(seconds_of, known))
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def shown_on(name: str) -> str:
    """The pages that have a target's table or picture."""
    marks = f"<!-- {name} ", f"/{name}.png"
    return ", ".join(str(page.relative_to(ROOT)) for page in documents() if any(mark in page.read_text() for mark in marks))


def list_table(targets: Mapping[str, Target], store: Store) -> str:
    """A row for each target."""
    rows = []
    for name, target in targets.items():
        lines = store.lines(target.wanted(target.seeds))
        rows.append([f"`{name}`", target.text, OF_THE_PAPER.get(name, "-"), shown_on(name), str(target.seeds), duration(lines)])
    return markdown(["target", "what it makes", "in the paper", "shown in", "seeds", "runs, one core"], rows)


def show_list(output: Output) -> None:
    """The list, of all targets but this one."""
    from Figure.reproduce import MODULES

    found = {name: importlib.import_module(module).TARGETS[name] for name, module in MODULES.items() if name != "targets"}
    output.table("targets", list_table(found, Store(KEPT_LINES)))


def show(_: list[Record], output: Output, __: Path) -> None:
    """What the target does."""
    show_list(output)


TARGETS = {"targets": Target("this list", 1, lambda _: [], show)}
