"""RDIA-LS: relabel by loss while a network trains on noisy labels.

    python RDIA-LS.py --gamma 0.2                                   # built-in digits, 40% of the labels wrong, seconds
    python RDIA-LS.py --result_dir out --dataset mnist --noise_rate 0.8 --weight_decay 0.00001 --gamma 0.2 --gpu 0
    python RDIA-LS.py --result_dir out --dataset cifar10 --noise_rate 0.8 --weight_decay 0 --gamma 0.05 --gpu 0
    python RDIA-LS.py --dataset mine.npz --noise_type none --noise_rate 0.3     # your own labels, about 30% of them wrong
    torchrun --nproc-per-node 2 RDIA-LS.py --gamma 0.2              # the first by two processes, on GPUs where there are two

It prints the mean test accuracy of the last ten epochs, the best, and the recall of each class. With --result_dir: suspects.csv
(the training samples to which the network gives another label in the end), epochs.jsonl (a line an epoch), results.jsonl (a line a
run), curve.png, and a checkpoint an epoch, from which --resume goes on.
"""

from data.flags import leave_on_interrupt

if __name__ == "__main__":
    leave_on_interrupt("RDIA-LS.py")

import argparse
import logging
import sys
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from data.errors import InputError
from data.files import only_writer, writable_folder
from data.flags import Parser, add_data_dir, count, fraction, non_negative, place, positive, rate, run_script, seed
from data.noise import NOISE_TYPES
from data.pictures import PICTURE_SETS
from Figure.checkpoint import NAME, read_checkpoint
from Figure.curve import draw_curve
from Figure.deep import CURVE, LOST, PATIENCE, DeepConfig, Prepared, choose_device, lost_classes, run_deep
from Figure.lines import read_lines
from Figure.report import deep_summary
from Figure.results import Record, append_line, environment, json_line
from models.networks import NETWORKS
from models.ranks import Ranks, from_first, on_ranks
from models.robust_loss import OBJECTIVES
from models.settings import FAST, METHODS, OPTIMIZERS, WARMUPS, Settings
from models.training import Epoch

log = logging.getLogger(__name__)

IGNORED = ("print_freq", "num_workers", "model_type", "fr_type")  # Released: flags that have no meaning here any more


def parser() -> Parser:
    flags = Parser("RDIA-LS.py", __doc__)
    flags.add_argument(
        "--dataset", default="digits", help=f"{', '.join(PICTURE_SETS)}, or an .npz or a folder of pictures (digits)"
    )
    flags.add_argument("--noise_rate", type=rate, default=0.4, help="share of wrong labels, taken as known (0.4)")
    flags.add_argument("--noise_type", choices=NOISE_TYPES, default="symmetric", help="noise to put in; none: labels as they are")
    flags.add_argument("--method", choices=METHODS, default="rdia-ls", help="rdia-ls, or what it is compared with")
    flags.add_argument("--gamma", type=fraction, default=0.2, help="weight of the clean term (0.2)")
    flags.add_argument(
        "--objective", choices=OBJECTIVES, default="released", help="the loss as released, or as the formulas suggest"
    )
    flags.add_argument(
        "--recipe", choices=["released", "fast"], default="released", help="fast: 40 epochs, balanced warm-up, averaged weights"
    )
    flags.add_argument("--warmup", choices=WARMUPS, help="balanced: the same share of each given label (released)")
    flags.add_argument("--forget_rate", type=rate, help="share of a batch that is not kept as clean (the noise rate)")
    flags.add_argument("--discard_rate", type=rate, help="share of a batch that is discarded (half the noise rate)")
    flags.add_argument("--n_epoch", type=count, help="epochs, epoch 0 being the untrained network (200)")
    flags.add_argument("--num_gradual", type=count, default=10, help="epochs over which the forget rate rises (10)")
    flags.add_argument("--init_epoch", type=count, help="first epoch after the warm-up (10; cifar100: 20)")
    flags.add_argument("--epoch_decay_start", type=seed, help="first epoch of a falling rate (80)")
    flags.add_argument("--average", type=fraction, help="step of the average of the weights that is evaluated; 0: none (0)")
    flags.add_argument("--network", choices=NETWORKS, default="auto", help="auto: by the size of the pictures")
    flags.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="(adam)")
    flags.add_argument("--lr", type=positive, help="learning rate (0.001)")
    flags.add_argument("--weight_decay", type=non_negative, default=0.0, help="(0)")
    flags.add_argument("--batch_size", type=count, default=128, help="(128)")
    flags.add_argument("--seed", type=seed, default=1, help="governs noise, initialisation, order, each by its own stream (1)")
    flags.add_argument("--gpu", type=seed, help="number of the GPU (the first there is, else the CPU)")
    flags.add_argument("--amp", action="store_true", help="bfloat16 on a GPU")
    add_data_dir(flags)
    flags.add_argument("--result_dir", type=place, help="where suspects, lines, checkpoint and curve go")
    flags.add_argument("--resume", action="store_true", help="go on from the checkpoint in --result_dir")
    flags.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    flags.add_argument("--quiet", action="store_true", help="no progress and no notes: the results alone")
    for name in IGNORED:
        flags.add_argument(f"--{name}", help=argparse.SUPPRESS)
    return flags


def configure(flags: argparse.Namespace) -> DeepConfig:
    """The run that the flags ask for: the recipe's settings, and over them what is given."""
    given = {name: value for name, value in vars(flags).items() if name in Settings._fields and value is not None}
    defaults = {
        "forget_rate": flags.noise_rate,
        "discard_rate": flags.noise_rate / 2,
        "init_epoch": 20 if flags.dataset == "cifar100" else 10,
        **(FAST if flags.recipe == "fast" else {}),
    }
    settings = Settings(**{**defaults, **given})
    return DeepConfig(flags.dataset, flags.noise_rate, flags.noise_type, flags.seed, flags.network, settings)


def refuse_to_overwrite(folder: Path) -> None:
    """An unfinished run in `folder` is not thrown away by starting another. Raises `InputError`."""
    kept = read_checkpoint(folder)
    if kept and len(kept.lines) < kept.config["n_epoch"]:
        raise InputError(
            f"--result_dir {folder}: holds a run that is at epoch {len(kept.lines)} of {kept.config['n_epoch']}; add --resume,"
            f" give another folder, or remove {folder / NAME}"
        )


class Watch:
    """The progress bar, the notes, said once the first epoch shows that the run goes on, and the warning about a lost class."""

    def __init__(self, settings: Settings, quiet: bool, notes: list[str]) -> None:
        self._notes = notes
        self._settings, self._recalls, self._named = settings, list[list[float | None]](), set[int]()
        self._bar = tqdm(total=settings.n_epoch, disable=quiet or not sys.stderr.isatty(), unit="epoch", leave=False)

    def __call__(self, epoch: Epoch, ready: Prepared) -> None:
        if not self._bar.n:
            for note in (*self._notes, *ready.notes):
                log.warning("note: %s", note)
        self._bar.n = epoch.epoch + 1
        self._bar.set_postfix(accuracy=f"{epoch.test_accuracy:.2f}%")
        if epoch.epoch < self._settings.init_epoch:
            return
        self._recalls.append(epoch.test_recall)
        if len(self._recalls) >= PATIENCE and (lost := set(lost_classes(self._recalls[-PATIENCE:])) - self._named):
            self._named |= lost
            remedy = "" if self._settings.warmup == "balanced" else "; try --warmup balanced"
            names = ", ".join(ready.classes[label] for label in sorted(lost))
            log.warning(
                "warning: under %g%% of the test samples of class %s are found for %d epochs%s", LOST, names, PATIENCE, remedy
            )

    def close(self) -> None:
        self._bar.close()


def is_kept(record: Record, folder: Path) -> bool:
    """Whether `folder` has this very run's line: it is finished, and was only resumed, be it on a device of another rounding."""
    own = {key: value for key, value in record.items() if key not in {"suspects", "precision", "recall"}}
    return any({key: line.get(key) for key in own} == own for line in read_lines(folder / "results.jsonl"))


def save(record: Record, config: DeepConfig, device: str, folder: Path) -> None:
    """The run as one line, if it is not there, and its curve, which a kill may have kept from being drawn after the line."""
    if not is_kept(record, folder):
        append_line(folder / "results.jsonl", {**record, "config": config.flat(), **environment(), "device": device})
    draw_curve(record, folder / CURVE)


def main(ranks: Ranks) -> None:
    flags = from_first(ranks, parser().parse_args)
    quiet = flags.quiet or ranks.rank > 0
    logging.basicConfig(format="%(message)s", level=logging.ERROR if quiet else logging.INFO, force=True)
    ignored = [f"--{name}" for name in IGNORED if getattr(flags, name) is not None]
    notes = [f"{', '.join(ignored)} has no meaning here any more and is ignored"] if ignored else []
    device, folder = choose_device(flags.gpu, ranks), flags.result_dir
    if flags.amp and device.type != "cuda":
        raise InputError("--amp: is for a GPU, and there is none here; leave it out")
    if flags.resume and not folder:
        raise InputError("--resume: needs the --result_dir of the run that is to go on")
    config = configure(flags)
    if config.settings.n_epoch <= config.settings.init_epoch:
        notes.append(f"--n_epoch {config.settings.n_epoch}: the run ends in the warm-up, of {config.settings.init_epoch} epochs")
    with ExitStack() as ending:
        if folder and ranks.rank == 0:
            ending.enter_context(only_writer(writable_folder(folder, "--result_dir"), "--result_dir"))
            if not flags.resume:
                refuse_to_overwrite(folder)
            elif not (folder / NAME).exists():
                notes.append(f"there is no checkpoint in {folder}, the run begins at epoch 0")
        watch = Watch(config.settings, quiet, notes)
        ending.callback(watch.close)
        record = run_deep(config, flags.data_dir, device, folder, flags.resume, watch, ranks)
        if folder and ranks.rank == 0:
            save(record, config, f"{ranks.world} x {device.type}" if ranks.world > 1 else str(device), folder)
    if ranks.rank == 0:
        sys.stdout.write(json_line(record) if flags.json else deep_summary(record))


def cli() -> None:
    run_script("RDIA-LS.py", lambda: on_ranks(main), remedy="add --resume to go on if --result_dir was given")


if __name__ == "__main__":
    cli()
