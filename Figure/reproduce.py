"""The paper's tables and figures, from runs that are made once and kept as JSON lines in Figure/kept/.

    python -m Figure.reproduce all                    # everything: days on one core
    python -m Figure.reproduce alpha noise --jobs 2   # some targets, on two cores
    python -m Figure.reproduce deep --shard 2/3       # machine 2 of 3: makes and keeps its part, in files of its own
    python -m Figure.reproduce all --kept             # no runs: tables and pictures from what is kept

A run that is kept is not made again: an interrupted command continues where it stopped, and a changed setting makes only the runs
that it affects. Tables go into the pages of docs/, pictures into Figure/; with --result_dir everything goes there. With --shard
each machine keeps NAME.i-of-n.jsonl: copy these files into one Figure/kept/, and run the command without --shard.
"""

import argparse
import importlib

from run.script import require_numpy, run_script

require_numpy("Figure.reproduce")

from data.errors import InputError
from data.files import writable_folder
from Figure.lines import KEPT_LINES, Shard, Store
from Figure.sweep import sweep
from Figure.target import FIGURES, Output, Target
from run.flags import Parser, add_data_dir, count, place

MOST_SEEDS = 10_000  # a target has up to a hundred runs for each seed
# The module of each target, imported when it is asked for.
MODULES = {
    **dict.fromkeys(("alpha", "cancer", "methods", "noise", "classes", "influence"), "Figure.linear_targets"),
    **dict.fromkeys(("networks", "deep", "warmup", "gamma", "objective", "recipe"), "Figure.deep_targets"),
    "rates": "Figure.rates_target",
    "trusted": "Figure.trusted_target",
    "examined": "Figure.examined_target",
    "own": "Figure.own_target",
    "amp": "Figure.amp_target",
    "cifar10": "Figure.cifar10_target",
    **dict.fromkeys(("demo", "headline", "suspects", "flags", "framework"), "Figure.document_targets"),
    "bench": "Figure.bench_targets",
    "promise": "Figure.promise_target",
    "looks": "Figure.looks",
    "chosen": "Figure.chosen_target",
    "targets": "Figure.list_of_targets",
}


def target(name: str) -> Target:
    """A target by name."""
    return importlib.import_module(MODULES[name]).TARGETS[name]


def shard(text: str) -> Shard:
    """The value of --shard."""
    number, _, total = text.partition("/")
    if not (number.isascii() and number.isdigit() and total.isascii() and total.isdigit() and 1 <= int(number) <= int(total)):
        raise argparse.ArgumentTypeError(f"got '{text}', expected i/n with i from 1 to n, such as 2/3")
    return Shard(int(number), int(total))


def parser() -> Parser:
    flags = Parser("Figure.reproduce", __doc__)
    flags.add_argument("target", choices=[*MODULES, "all"], nargs="+", help=f"what to make: {', '.join(MODULES)}, or all")
    runs = flags.add_argument_group("runs")
    runs.add_argument("--seeds", type=count, help="seeds 1 to this many [by target: 1, 3, 5, 10 or 20]")
    runs.add_argument("--kept", action="store_true", help="make no runs, only tables and pictures from what is kept")
    add_data_dir(runs)
    output = flags.add_argument_group("output")
    output.add_argument("--result_dir", type=place, help="folder for lines, tables and pictures [Figure/kept, docs and Figure]")
    where = flags.add_argument_group("where it runs")
    where.add_argument("--jobs", type=count, default=1, help="runs at a time on this machine [1]")
    where.add_argument("--shard", type=shard, metavar="i/n", help="make only part i of n of the runs, and no tables")
    where.add_argument("--dask", metavar="ADDRESS", help="make the runs on the workers of this Dask scheduler")
    return flags


def main() -> None:
    given = parser().parse_args()
    if (given.seeds or 0) > MOST_SEEDS:
        raise InputError(f"--seeds {given.seeds}: expected at most {MOST_SEEDS:,}")
    if given.kept and given.result_dir and not given.result_dir.is_dir():
        raise InputError(f"--result_dir {given.result_dir}: there is no such folder; give one with kept lines")
    folder = writable_folder(given.result_dir, "--result_dir") if given.result_dir else None
    store = Store(folder or KEPT_LINES, given.shard)
    output = Output(folder or FIGURES, own=bool(folder))
    for name in MODULES if "all" in given.target else dict.fromkeys(given.target):
        make(name, given, store, output)


def make(name: str, given: argparse.Namespace, store: Store, output: Output) -> None:
    """Make the missing runs of a target, then its tables and pictures."""
    made = target(name)
    runs = made.wanted(given.seeds or made.seeds)
    if not given.kept:
        here = [run for run in (given.shard.of(runs) if given.shard else runs) if run.possible(given.data_dir)]
        sweep(here, store, given.data_dir, given.jobs, given.dask, name)
    if given.shard:
        return
    lines = store.lines(runs)
    if runs and not lines and given.kept:
        raise InputError(f"--kept: no run of {name} is in {store.folder}; leave --kept out to make the runs")
    made.show(lines, output, given.data_dir)


def cli() -> None:
    run_script("Figure.reproduce", main, remedy="the same command continues")


if __name__ == "__main__":
    cli()
