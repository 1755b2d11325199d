"""What labels may be: names of classes, all of which training samples have."""

from collections.abc import Sequence

import numpy as np

from data.errors import InputError

MOST = 1_000  # more distinct labels than that are measurements
MOST_FRACTIONS = 20  # and so are more than that if some are fractions
SHOWN = 5  # classes that an error names


def several(where: str, values: np.ndarray, spelling: Sequence[str]) -> None:
    """Raise `InputError` unless there are two classes or more, and no more than a classifier is for. values: distinct labels."""
    most = MOST_FRACTIONS if values.dtype.kind == "f" and (values % 1).any() else MOST
    if not 2 <= len(values) <= most:
        shown = ", ".join(spelling[:SHOWN]) + (", ..." if len(spelling) > SHOWN else "")
        what = f"has one class ({shown})" if len(values) == 1 else f"has {len(values)} classes ({shown})"
        remedy = "add samples of another" if len(values) == 1 else "labels name classes: make fewer of them"
        raise InputError(f"{where}: {what}, expected 2 to {most:,}; {remedy}")


def places(where: str, y: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The place of each label y (n,) among the training samples' `values`, ascending. Raises `InputError` for one that is not."""
    strange = y[~np.isin(y, values)]
    if len(strange):
        label = f"{strange[0]:.17g}" if strange.dtype.kind == "f" else strange[0]
        raise InputError(f"{where}: has the label {label}, which no training sample has; remove it, or add samples of it")
    return np.searchsorted(values, y)
