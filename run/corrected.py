"""The user's table, or a list of the pictures, with what a run found of each training row."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data.dataset import Dataset
from data.table import PARQUET, corrected, corrected_parquet, table_suffix
from run.records import table_of, write_csv, write_parquet

CORRECTED, PICTURE_LABELS = "corrected.csv", "labels.csv"


def corrected_file(dataset: Dataset) -> str | None:
    """The name of the file: corrected.csv or corrected.parquet of a table, labels.csv of pictures, none of other data."""
    if dataset.table:
        return f"corrected{PARQUET}" if table_suffix(dataset.table.path) == PARQUET else CORRECTED
    return PICTURE_LABELS if dataset.files else None


def corrected_line(dataset: Dataset, folder: Path) -> str:
    """What the terminal says of the file, on a line of its own, if there is one."""
    name, what = corrected_file(dataset), "table" if dataset.table else "pictures"
    return f"\nyour {what} with what was found: {folder / name}" if name else ""


def save_corrected(dataset: Dataset, more: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write the file anew, if there is one. more: by name, the values (n,) of the training rows. Raises `InputError`."""
    path, rows, table = folder / (corrected_file(dataset) or ""), dataset.train.rows, dataset.table
    if table and path.suffix == PARQUET:
        write_parquet(path, corrected_parquet(table, rows, more))
    elif table:
        write_csv(path, *corrected(table, rows, more), table.separator, "\ufeff" if table.marked else "")
    elif dataset.files:
        labels = np.array(dataset.classes)[dataset.train.labels]
        order, columns = np.argsort(rows), {"file": np.array(dataset.files)[rows], "label": labels, **more}
        write_csv(path, *table_of({key: values[order] for key, values in columns.items()}))
