"""What a training run leaves in its result directory, besides what `run.rdia_ls` writes as it goes on."""

from pathlib import Path

from run.curve import draw_curve
from run.rdia_ls import CURVE
from run.records import Record, append_line, environment, read_lines
from run.training_config import TrainingConfig


def save_training(record: Record, config: TrainingConfig, device: str, folder: Path) -> None:
    """The run as one line, if it is not there yet, and its curve. Raises `InputError`."""
    if not is_kept(record, folder):
        append_line(folder / "results.jsonl", {**record, "config": config.flat(), **environment(device)})
    draw_curve(record, folder / CURVE)


def is_kept(record: Record, folder: Path) -> bool:
    """Whether `folder` has this very run's line: it is finished, and was only resumed, be it on a device of another rounding."""
    own = {name: value for name, value in record.items() if name not in {"suspects", "precision", "recall"}}
    return any({name: line.get(name) for name in own} == own for line in read_lines(folder / "results.jsonl"))
