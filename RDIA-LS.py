"""RDIA-LS: relabel by loss while a network trains on noisy labels.

    python RDIA-LS.py --gamma 0.2                                   # built-in digits, 40% of the labels wrong, seconds
    python RDIA-LS.py --result_dir out/mnist --dataset mnist --noise_rate 0.8 --weight_decay 0.00001 --gamma 0.2 --gpu 0
    python RDIA-LS.py --result_dir out/cifar10 --dataset cifar10 --noise_rate 0.8 --weight_decay 0 --gamma 0.05 --gpu 0
    python RDIA-LS.py --dataset mine.npz --result_dir out                       # your own labels: out/suspects.csv
    python RDIA-LS.py --dataset mine.npz --audit page.html          # review the suspects in a browser, export your decisions,
    python RDIA-LS.py --dataset mine.npz --labels decided.csv       # and train on them
    torchrun --nproc-per-node 2 RDIA-LS.py --gamma 0.2              # the first by two processes, on GPUs where there are two

It prints the mean test accuracy of the last ten epochs, the best, and the recall of each class. With --result_dir it writes
suspects.csv (training samples for which the network predicts another label), epochs.jsonl (a line for each epoch),
results.jsonl (a line for each run), curve.png, and after each epoch a checkpoint, from which --resume continues.
"""

import logging
import sys
from contextlib import ExitStack
from pathlib import Path

from run.script import require_numpy, require_torch, run_script

require_numpy("RDIA-LS.py")

from run.ls_flags import flag_notes, ls_config, ls_parser

require_torch("RDIA-LS.py", ls_parser(__doc__))

from data.errors import InputError
from data.files import only_writer, writable_folder
from models.devices.device import choose_device, has_bfloat16
from models.devices.ranks import Ranks, from_first, on_ranks
from page.render import page_line, page_path, write_page
from page.review import REVIEW, save_review, with_command
from page.trained import training_review
from run.checkpoint import refuse_to_overwrite
from run.ls_folder import save_training
from run.rdia_ls import Trained, run_training
from run.records import json_line, remove
from run.report import training_summary
from run.watch import Watch


def ready_folder(folder: Path, resume: bool, ending: ExitStack) -> None:
    """Make the result directory and lock it until `ending` closes. Raises `InputError`, also if it holds an unfinished run."""
    ending.enter_context(only_writer(writable_folder(folder, "--result_dir"), "--result_dir"))
    if not resume:
        refuse_to_overwrite(folder)
        remove(folder / REVIEW)


def write_review(found: Trained, page: Path | None, folder: Path | None, draw: int | None) -> None:
    """What the review page is made from, in the result directory, and the page itself. Raises `InputError`.

    draw: show so many samples, drawn at random.
    """
    if page or folder:
        review = with_command(training_review(found, draw))
        if folder:
            save_review(review, folder)
        if page:
            write_page(review, page)


def main(ranks: Ranks) -> None:
    flags = from_first(ranks, ls_parser(__doc__).parse_args)
    quiet, folder = flags.quiet or ranks.rank > 0, flags.result_dir
    logging.basicConfig(format="%(message)s", level=logging.ERROR if quiet else logging.INFO, force=True)
    device = choose_device(flags.gpu, ranks)
    if flags.resume and not folder:
        raise InputError("--resume: needs the --result_dir of the run to continue")
    config = ls_config(flags)
    with ExitStack() as ending:
        if ranks.rank == 0:
            if flags.audit:
                page_path(flags.audit, "--audit")
            if folder:
                ready_folder(folder, flags.resume, ending)
        watch = ending.enter_context(Watch(config.settings, quiet, flag_notes(flags, config.settings, has_bfloat16(device))))
        found = run_training(config, device, folder, flags.resume, watch, ranks, watch.preparing)
        if ranks.rank == 0:
            if folder:
                save_training(found.record, config, f"{ranks.world} x {device.type}" if ranks.world > 1 else str(device), folder)
            write_review(found, flags.audit, folder, flags.draw)
    if ranks.rank == 0:
        page = f"{page_line(flags.audit)}\n" if flags.audit else ""
        sys.stdout.write(json_line(found.record) if flags.json else training_summary(found.record) + page)


def cli() -> None:
    run_script("RDIA-LS.py", lambda: on_ranks(main), remedy="add --resume to go on if --result_dir was given")


if __name__ == "__main__":
    cli()
