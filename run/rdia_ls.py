"""A training run of RDIA-LS, or of a method it is compared with: from its configuration to its record."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from data.errors import InputError
from models.devices.ranks import ALONE, Ranks, from_first
from models.devices.together import forward_together
from models.training import Epoch, State, forward, places_of, predict, restore, snapshot, train
from run.checkpoint import Checkpoint, damaged, load_checkpoint, rate_of_before, save_checkpoint
from run.corrected import PICTURE_LABELS
from run.prepare import Counting, Prepared, prepare, uncounted
from run.records import Record, append_line, remove, write_csv, write_lines
from run.suspects import Labels, judged, label_rows, suspect_rows, suspects
from run.training_config import LOST_BELOW, TrainingConfig

SUSPECTS, CURVE = "suspects.csv", "curve.png"  # written when a run has ended
LAST_EPOCHS = 10  # whose mean test accuracy is reported; the untrained epoch 0 does not count


class Trained(NamedTuple):
    """A training run that has ended."""

    record: Record  # the object that --json prints
    ready: Prepared
    p: np.ndarray  # (n, K) predicted probabilities of the training samples


def run_training(
    config: TrainingConfig,
    device: torch.device,
    folder: Path | None = None,
    resume: bool = False,
    each_epoch: Callable[[Epoch, Prepared], None] = lambda *_: None,
    ranks: Ranks = ALONE,
    progress: Counting = uncounted,
) -> Trained:
    """Train to the end. `each_epoch` is called after every epoch, `progress` while it is prepared.

    folder: where to write a line for each epoch (epochs.jsonl), a checkpoint after each epoch, and in the end suspects.csv. Of
    several ranks only rank 0 reads and writes there. resume: continue from the checkpoint; on the CPU the result is the same to
    the bit as without the interruption. Raises `InputError`, also if the checkpoint is damaged or belongs to another run.
    """
    known = from_first(ranks, lambda: rate_of_before(folder)) if resume else None
    ready = prepare(config, device, ranks, progress, known)
    data, state, settings = ready.data, ready.state, ready.settings
    lines = resumed(folder, config, ready.digest, state, ranks) if folder and resume else []
    if ranks.rank:
        folder = None
    if folder:
        clear(folder, lines)
    of_batch = forward_together(ranks, state, settings) if ranks.world > 1 else forward
    begin = time.perf_counter()
    for epoch in train(state, data, settings, len(lines), of_batch):
        check_loss(epoch, settings.lr)
        lines.append({**epoch._asdict(), "seconds": time.perf_counter() - begin})
        if folder:
            append_line(folder / "epochs.jsonl", lines[-1])
            save_checkpoint(folder, Checkpoint(config.flat(), ready.digest, lines, snapshot(state), ready.rate))
        each_epoch(epoch, ready)
        begin = time.perf_counter()
    given = data.labels.cpu().numpy()
    p = predict(state.averaged, data.x, settings).double().cpu().numpy()
    checked = np.zeros(len(given), dtype=bool) if data.checked is None else data.checked.cpu().numpy()
    labels, found = Labels(ready.given.labels, given, checked), suspects(p, given, checked)
    if folder:
        write_csv(folder / SUSPECTS, *suspect_rows(found, given, ready.classes, ready.rows, ready.files))
        if ready.files:
            write_csv(folder / PICTURE_LABELS, *label_rows(found, p, labels, ready.classes, ready.files))
    correct = None if data.correct is None else data.correct.cpu().numpy()
    record = training_record(config._replace(settings=settings), lines)
    return Trained({**record, "classes": list(ready.classes), **judged(found, correct), **prepared_record(ready)}, ready, p)


def prepared_record(ready: Prepared) -> Record:
    """What was taken for a test, estimated, trusted and decided before the training, as far as it was."""
    estimated = {"noise_rate": ready.settings.forget_rate, "estimated_noise_rate": ready.rate._asdict()} if ready.rate else {}
    count = len(places_of(ready.data)[1])
    trusted = {"trusted_rows": count} if count else {}
    noisy = {"test_labels": "as given"} if ready.noisy_test else {}
    return {**noisy, **estimated, **trusted, **({"decided": ready.decided} if ready.decided else {})}


def clear(folder: Path, lines: list[Record]) -> None:
    """Start epochs.jsonl with the finished epochs; if there are none, remove what an earlier run has left."""
    write_lines(folder / "epochs.jsonl", lines)
    if not lines:
        for name in (SUSPECTS, CURVE, PICTURE_LABELS):
            remove(folder / name)


def check_loss(epoch: Epoch, lr: float) -> None:
    """Raise `InputError` if the training has diverged."""
    if epoch.train_loss is not None and not math.isfinite(epoch.train_loss):
        raise InputError(f"--lr {lr:g}: the training loss is {epoch.train_loss} in epoch {epoch.epoch}; give a smaller --lr")


def resumed(folder: Path, config: TrainingConfig, data: str, state: State, ranks: Ranks) -> list[Record]:
    """Load the checkpoint in `folder` into `state`, and return the lines of its epochs: none if there is no checkpoint."""
    kept = from_first(ranks, lambda: load_checkpoint(folder, config.flat(), data))
    if kept is None:
        return []
    try:
        restore(state, kept.state)
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError) as error:
        raise damaged(folder) from error
    return kept.lines


def training_record(config: TrainingConfig, lines: list[Record]) -> Record:
    """The object that `RDIA-LS.py --json` prints, without classes and suspects. lines: one for each epoch, from epoch 0."""
    accuracy, settings = [line["test_accuracy"] for line in lines], config.settings
    return {
        **{name: getattr(config, name) for name in ("dataset", "noise_rate", "noise_type", "seed")},
        **{name: getattr(settings, name) for name in ("method", "gamma", "objective")},
        "epochs": settings.n_epoch,
        "test_accuracy": accuracy,
        "last10": float(np.mean((accuracy[1:] or accuracy)[-LAST_EPOCHS:])),
        "best": max(accuracy),
        **{name: lines[-1][name] for name in ("test_recall", "clean_share_kept", "wrong_share_relabeled")},
        "seconds": sum(line["seconds"] for line in lines),
    }


def lost_classes(recalls: list[list[float | None]]) -> list[int]:
    """Classes whose test recall is below 5% in all of the given epochs. recalls: a list for each epoch, in per cent."""
    columns = zip(*recalls, strict=True)
    return [place for place, column in enumerate(columns) if all(value is not None and value < LOST_BELOW for value in column)]
