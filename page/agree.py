"""Compare and merge what two people decided on the same page.

python -m page.agree alice.csv bob.csv both.csv      # (installed: python -m rdia.page.agree)

It prints how often they agree, Cohen's kappa, and where they differ. both.csv, for --labels, has the decisions on which they agree,
and those that one of them alone has made. Settle the others, and add them.
"""

import sys
from pathlib import Path
from typing import NamedTuple

from data.errors import InputError
from data.files import writable_folder
from run.decisions import AT_RANDOM, NEEDED, decision_cells, is_drawn
from run.flags import Parser
from run.records import write_csv
from run.script import run_script

MOST_DIFFERENT = 20  # samples on which they differ that are printed

Decisions = dict[str, dict[str, str]]  # by index: the cells of its row


class Agreement(NamedTuple):
    """What two people decided."""

    same: list[str]  # indices on which they agree
    differ: list[str]
    first: list[str]  # that the first alone has decided
    second: list[str]
    kappa: float | None  # Cohen's, over what both decided; None if there is too little of it


def decisions_of(path: Path) -> Decisions:
    """The decisions of one person. Raises `InputError` if a sample appears twice."""
    found: Decisions = {}
    for where, cells in decision_cells(path):
        if cells["index"] in found:
            raise InputError(f"{where}: index {cells['index']} appears twice, expected one decision for each sample; remove one")
        found[cells["index"]] = cells
    return found


def compared(first: Decisions, second: Decisions) -> Agreement:
    """Where they agree. Raises `InputError` if they decided on different pages."""
    runs = {cells["run"] for each in (first, second) for cells in each.values()}
    if len(runs) > 1:
        raise InputError(f"the decisions belong to different runs ({' and '.join(sorted(runs))}); give those of one page")
    both = sorted(first.keys() & second.keys(), key=int)
    said = [(first[index]["decided"], second[index]["decided"]) for index in both]
    same = [index for index, (one, other) in zip(both, said, strict=True) if one == other]
    kappa = None
    if len({label for pair in said for label in pair}) > 1:  # of one label alone kappa is 0 / 0
        from sklearn.metrics import cohen_kappa_score

        kappa = float(cohen_kappa_score(*zip(*said, strict=True)))
    differ = [index for index, (one, other) in zip(both, said, strict=True) if one != other]
    alone = [sorted(one.keys() - other.keys(), key=int) for one, other in ((first, second), (second, first))]
    return Agreement(same, differ, alone[0], alone[1], kappa)


def in_words(found: Agreement, first: Decisions, second: Decisions) -> str:
    """The agreement, and the samples on which they differ."""
    both = len(found.same) + len(found.differ)
    share = f" ({len(found.same) / both:.1%})" if both else ""
    kappa = "" if found.kappa is None else f", Cohen's kappa {found.kappa:.3f}"
    lines = [
        f"decided by both: {both:,}, the same label: {len(found.same):,}{share}{kappa}",
        f"by the first alone: {len(found.first):,}, by the second alone: {len(found.second):,}",
    ]
    for index in found.differ[:MOST_DIFFERENT]:
        one, other = first[index], second[index]
        lines.append(f"  row {index}: given {one['given']}, the first says {one['decided']}, the second {other['decided']}")
    if len(found.differ) > MOST_DIFFERENT:
        lines.append(f"  and {len(found.differ) - MOST_DIFFERENT:,} more")
    if found.differ:
        lines.append("these are not in the merged file: settle them, and add them there")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Compare, merge and print. Raises `InputError`."""
    flags = Parser("page.agree", __doc__)
    for name, what in (
        ("first", "what one person decided"),
        ("second", "what another one decided"),
        ("merged", "the file to write"),
    ):
        flags.add_argument(name, type=Path, help=what)
    given = flags.parse_args()
    first, second = decisions_of(given.first), decisions_of(given.second)
    found = compared(first, second)
    if given.merged.exists():
        raise InputError(f"{given.merged}: is there already; give another file to write")
    writable_folder(given.merged.parent, "merged", given.merged)
    kept = {**second, **first}
    drawn = {index for each in (first, second) for index, cells in each.items() if is_drawn(cells)}
    indices = sorted((*found.same, *found.first, *found.second), key=int)
    rows = [(*(kept[index][name] for name in NEEDED), "1" if index in drawn else "") for index in indices]
    write_csv(given.merged, [*NEEDED, AT_RANDOM], rows)
    sys.stdout.write(in_words(found, first, second))


def cli() -> None:
    """The command: an error is one line."""
    run_script("page.agree", main)


if __name__ == "__main__":
    cli()
