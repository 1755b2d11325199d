"""The files that a training run writes at its end: one line in results.jsonl, and curve.png."""

from pathlib import Path

from run.curve import draw_curve
from run.rdia_ls import CURVE
from run.records import Record, append_line, environment, read_lines
from run.training_config import TrainingConfig


def save_training(record: Record, config: TrainingConfig, device: str, folder: Path) -> None:
    """Append the run to results.jsonl, unless it is there already, and draw its curve. Raises `InputError`."""
    if not is_recorded(record, folder):
        append_line(folder / "results.jsonl", {**record, "config": config.flat(), **environment(device)})
    draw_curve(record, folder / CURVE)


def is_recorded(record: Record, folder: Path) -> bool:
    """Whether results.jsonl has this run already: resuming a finished run adds no second line.

    Not compared are the suspects, which are computed again, and may be rounded differently on another device, and the name of the
    data, as the same file may go by two paths.
    """
    own = {name: value for name, value in record.items() if name not in {"dataset", "suspects", "precision", "recall"}}
    return any({name: line.get(name) for name in own} == own for line in read_lines(folder / "results.jsonl"))
