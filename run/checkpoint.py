"""Checkpoints of a training run: replaced after every epoch, in one step; read as data, never as code."""

import io
import json
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch

from data.errors import InputError
from data.files import replacing
from data.public import PICTURE_SETS
from models.promise import Estimate
from models.training import Epoch
from run.records import Record
from run.training_config import CHECKPOINT


class Checkpoint(NamedTuple):
    """What a run needs to be resumed."""

    config: Record
    data: str  # `digest` of the pictures
    lines: list[Record]  # one for each finished epoch
    state: dict[str, Any]  # of `models.training.snapshot`
    rate: Estimate | None = None  # the noise rate, if it was estimated


def save_checkpoint(folder: Path, kept: Checkpoint) -> None:
    """Replace `folder`'s checkpoint. Raises `InputError` if it cannot be written."""
    content = io.BytesIO()  # torch.save would turn the OSError of a full disk into a RuntimeError
    plain = {name: json.dumps(getattr(kept, name)) for name in ("config", "lines", "rate")}
    torch.save({**kept._asdict(), **plain}, content)
    try:
        with replacing(folder / CHECKPOINT) as file:
            file.write(content.getbuffer())
    except OSError as error:
        raise InputError(
            f"{folder / CHECKPOINT}: cannot be written ({error.strerror}); the one before it is intact: make room, and add --resume"
        ) from error


def load_checkpoint(folder: Path, config: Record, data: str) -> Checkpoint | None:
    """`folder`'s checkpoint, None if there is none.

    Raises `InputError` if it is damaged, or belongs to another `config` or other data.
    """
    kept = read_checkpoint(folder)
    if kept is None:
        return None
    own = {config["dataset"], kept.config.get("dataset")}.isdisjoint(PICTURE_SETS)  # the same file may go by two paths
    for name, value in config.items():
        of_run = kept.config.get(name)
        if of_run != value and not (own and name == "dataset"):
            asked = f"--{name}" if value is None else f"--{name} {value}"
            remedy = "was started without it; leave it out" if of_run is None else f"has {of_run}; give that"
            raise InputError(f"{asked}: the run in {folder} {remedy}, or give another --result_dir")
    if kept.data != data:
        raise InputError(
            f"--dataset {config['dataset']}: is not the data of the run in {folder}, or has changed; give another --result_dir,"
            f" or remove {folder / CHECKPOINT}"
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
        config, lines, rate = (json.loads(content[name]) for name in ("config", "lines", "rate"))
        kept = Checkpoint(config, content["data"], lines, content["state"], rate and Estimate(*rate))
        if kept.config["n_epoch"] < len(kept.lines) or any(not set(Epoch._fields) <= set(line) for line in kept.lines):
            raise ValueError("the lines do not belong to the epochs")
        return kept
    except Exception as error:  # torch's reader raises a dozen kinds, `IndexError` among them
        raise damaged(folder) from error


def rate_of_before(folder: Path | None) -> Estimate | None:
    """The noise rate that the run in `folder` estimated, if it did. Raises `InputError` if the checkpoint is damaged."""
    kept = read_checkpoint(folder) if folder else None
    return kept.rate if kept else None


def damaged(folder: Path) -> InputError:
    """The error for a checkpoint that cannot be used."""
    return InputError(f"{folder / CHECKPOINT}: is damaged, or was written by another version; remove it to start again")


def refuse_to_overwrite(folder: Path) -> None:
    """Raise `InputError` if `folder` holds a run, which a new one would overwrite."""
    kept = read_checkpoint(folder)
    if kept:
        done, n = len(kept.lines), kept.config["n_epoch"]
        what, use = ("a finished run", "print") if done == n else (f"an unfinished run, at epoch {done} of {n}", "finish")
        raise InputError(
            f"--result_dir {folder}: holds {what}; add --resume to {use} it, give another folder, or remove {folder / CHECKPOINT}"
        )
