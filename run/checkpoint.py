"""Checkpoints of a training run: written whole after every epoch, read as data."""

import io
import json
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch

from data.errors import InputError
from data.files import replacing
from models.training import Epoch
from run.records import Record

CHECKPOINT = "checkpoint.pt"


class Checkpoint(NamedTuple):
    """What a run needs to go on."""

    config: Record
    data: str  # `digest` of the pictures
    lines: list[Record]  # one per epoch that is done
    state: dict[str, Any]  # of `models.training.snapshot`


def save_checkpoint(folder: Path, kept: Checkpoint) -> None:
    """Replace `folder`'s checkpoint. Raises `InputError` where it cannot be written."""
    content = io.BytesIO()  # torch.save hides what goes wrong with a file behind a RuntimeError
    torch.save({**kept._asdict(), "config": json.dumps(kept.config), "lines": json.dumps(kept.lines)}, content)
    try:
        with replacing(folder / CHECKPOINT) as file:
            file.write(content.getbuffer())
    except OSError as error:
        raise InputError(
            f"{folder / CHECKPOINT}: cannot be written ({error.strerror}); the last one is intact: make room, and add --resume"
        ) from error


def load_checkpoint(folder: Path, config: Record, data: str) -> Checkpoint | None:
    """`folder`'s checkpoint, None if there is none.

    Raises `InputError` if it is damaged or was made with another `config` or other data.
    """
    kept = read_checkpoint(folder)
    if kept is None:
        return None
    for name, value in config.items():
        if kept.config.get(name) != value:
            raise InputError(
                f"--{name} {value}: the run in {folder} was made with {kept.config.get(name)}; give that, or another --result_dir"
            )
    if kept.data != data:
        raise InputError(
            f"--dataset {config['dataset']}: is not what the run in {folder} was made with; leave --resume out and give another"
            f" --result_dir, or remove {folder / CHECKPOINT}"
        )
    return kept


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """`folder`'s checkpoint as it is, None if there is none. Raises `InputError` if it is damaged."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
        config, lines = json.loads(content["config"]), json.loads(content["lines"])
        kept = Checkpoint(config, content["data"], lines, content["state"])
        if kept.config["n_epoch"] < len(kept.lines) or any(not set(Epoch._fields) <= set(line) for line in kept.lines):
            raise ValueError("its lines are not of its epochs")
        return kept
    except Exception as error:  # torch's reader raises a dozen kinds, `IndexError` among them
        raise InputError(f"{path}: is damaged, or no checkpoint of this version; remove it to start anew") from error


def refuse_to_overwrite(folder: Path) -> None:
    """Starting a run does not throw away an unfinished one in `folder`. Raises `InputError`."""
    kept = read_checkpoint(folder)
    if kept and len(kept.lines) < kept.config["n_epoch"]:
        raise InputError(
            f"--result_dir {folder}: holds a run that is at epoch {len(kept.lines)} of {kept.config['n_epoch']}; add --resume,"
            f" give another folder, or remove {folder / CHECKPOINT}"
        )
