"""RDIA: find harmful training labels by influence, relabel them, and fit again.

    python RDIA.py                                                  # built-in data, 40% of the labels flipped
    python RDIA.py --dataset mnist --noise 0.8 --alpha 0.0002       # MNIST 1 vs 7, as in the paper
    python RDIA.py --dataset mnist10 --relabel best                 # all ten digits, each suspect to the label that helps most
    python RDIA.py --dataset mnist10 --model mlp --noise 0.5 --alpha 0           # a network
    python RDIA.py --dataset mine.csv --result_dir out              # your own labels: which are wrong? out/ranking.csv
    python RDIA.py --dataset mine.csv --alpha auto --result_dir out # the same by the paper's way: out/relabeled.csv
    python RDIA.py --dataset digits --audit page.html               # review the suggestions in a browser, export your decisions,
    python RDIA.py --dataset digits --labels decided.csv            # and fit on them

It prints log-loss, accuracy and AUC on validation and test rows for ERM (the labels as given), Random (as many labels flipped
as RDIA changes, drawn at random), Dropout (samples with Phi > 0 left out) and RDIA (samples with Phi > alpha relabeled).
"""

import argparse
import logging
import sys

from run.script import require_numpy, run_script

require_numpy("RDIA.py")

from data.errors import InputError
from data.files import writable_folder
from data.libsvm_parts import Read
from influence.rows import is_matrix
from influence.solvers import SolverError
from models.devices.placement import reader
from page.ranked import ranked_review
from page.render import page_line, page_path, write_page
from page.review import make_review, save_review, with_command
from run.corrected import PICTURE_LABELS, corrected_line
from run.exports import export
from run.rdia import STAGES, Config, notes, run
from run.rdia_flags import rdia_config, rdia_parser
from run.rdia_folder import SUSPECTS_LISTED, save_outcome
from run.records import Record, json_line
from run.repairing import RANKING, REPAIR_STAGES, first_suspects, repair_notes, run_repair, save_repair
from run.report import describe, repair_table, results_table
from run.stages import Stages

log = logging.getLogger(__name__)


def main() -> None:
    flags: argparse.Namespace = rdia_parser(__doc__).parse_args()
    logging.basicConfig(format="%(message)s", level=logging.ERROR if flags.quiet else logging.INFO, force=True)
    config = rdia_config(flags)
    if flags.result_dir:
        writable_folder(flags.result_dir, "--result_dir")
        if flags.labels and flags.labels.resolve() == (flags.result_dir / PICTURE_LABELS).resolve():
            raise InputError(f"--labels {flags.labels}: is where this run may write; give the file another name")
    if flags.audit:
        page_path(flags.audit, "--audit")
    stages = Stages(
        len(REPAIR_STAGES if config.protocol == "auto" else STAGES) + bool(flags.labels and config.protocol == "paper"), flags.quiet
    )
    try:
        with reader(config.block_rows, config.dask) as read:
            shown = auto(config, flags, stages, read) if config.protocol == "auto" else paper(config, flags, stages, read)
    except SolverError as error:
        raise InputError(f"--dataset {config.dataset}: {error}") from error
    finally:
        stages.close()
    sys.stdout.write(shown)


def paper(config: Config, flags: argparse.Namespace, stages: Stages, read: Read) -> str:
    """A run as in the paper, what it leaves, and what it prints."""
    outcome = run(config, stages, read)
    reviewable = (flags.audit or flags.result_dir) and is_matrix(outcome.dataset.train.x)  # not for rows on Dask workers
    review = with_command(make_review(outcome, config, with_curve=bool(flags.audit))) if reviewable else None
    stages.close()
    say(notes(outcome, config))
    if flags.result_dir:
        save_review(review, flags.result_dir)
        save_outcome(outcome, config, flags.result_dir)
    if review and flags.audit:
        write_page(review, flags.audit)
    table = results_table(outcome.record, int(outcome.given.flipped.sum()))
    if flags.result_dir:
        table += f"\nsuspects: {outcome.record['relabeled']:,}, listed in {flags.result_dir / SUSPECTS_LISTED}"
        table += corrected_line(outcome.dataset, flags.result_dir)
    if review and flags.audit:
        table += f"\n{page_line(flags.audit)}"
    return printed(flags, outcome.record, describe(config.dataset, outcome.dataset), table)


def auto(config: Config, flags: argparse.Namespace, stages: Stages, read: Read) -> str:
    """A run by the protocol auto, what it leaves, and what it prints."""
    found = run_repair(config, stages, read)
    stages.close()
    say(repair_notes(found, config, bool(flags.draw)))
    if flags.result_dir:
        save_repair(found, flags.result_dir)
        export(found, flags.export or [], flags.result_dir)
    if (flags.result_dir or flags.audit) and is_matrix(found.dataset.train.x):  # not for rows on Dask workers
        review = with_command(ranked_review(found, flags.draw))
        if flags.result_dir:
            save_review(review, flags.result_dir)
        if flags.audit:
            write_page(review, flags.audit)
    table = "\n".join([repair_table(found.record), *first_suspects(found)])
    if flags.result_dir:
        table += f"\nevery training row, most surely wrong first: {flags.result_dir / RANKING}"
        table += corrected_line(found.dataset, flags.result_dir)
    if flags.audit:
        table += f"\n{page_line(flags.audit)}"
    return printed(flags, found.record, describe(config.dataset, found.dataset), table)


def say(messages: list[str]) -> None:
    for message in messages:
        log.warning("note: %s", message)


def printed(flags: argparse.Namespace, record: Record, description: str, table: str) -> str:
    if flags.json:
        return json_line(record)
    return f"{table}\n" if flags.quiet else f"{description}\n\n{table}\n"


def cli() -> None:
    run_script("RDIA.py", main)


if __name__ == "__main__":
    cli()
