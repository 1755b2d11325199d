"""What a run of RDIA.py depends on."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from data.dataset import FROM_TRAIN, Validation
from influence.logistic import SOLVERS
from models.model import MODES

Relabel = Literal["R", "best", "drop", "auto"]
RELABELS: tuple[Relabel, ...] = (*MODES, "auto")
ModelName = Literal["linear", "mlp", "cnn"]
MODELS: dict[ModelName, tuple[str, ...]] = {"linear": SOLVERS, "mlp": ("auto", "cg", "lissa"), "cnn": ("auto", "cg", "lissa")}


class Config(NamedTuple):
    """Everything a run's numbers depend on, but the machine."""

    dataset: str
    noise: float
    alpha: float | None  # None: chosen on validation rows
    seed: int
    solver: Any  # one of MODELS[model]
    data_dir: Path
    C: float = 0.1
    relabel: Relabel = "R"
    model: ModelName = "linear"
    validation: Validation = FROM_TRAIN
    damping: float | None = None  # of a network's curvature; None: by its largest eigenvalue
    n_epoch: int = 10  # of a network
    gpu: int | None = None
    labels: Path | None = None  # a person's decisions on the labels
    block_rows: int | None = None  # of a file on disk
    dask: str | None = None  # address of the scheduler whose workers have the rows
