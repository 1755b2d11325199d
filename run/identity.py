"""Which run a file of decisions belongs to: a line of text that names the run's settings and has a hash of its data."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlencode

import numpy as np
import scipy.sparse as sp

from data.arrays import digest
from data.dataset import Dataset
from data.matrix import Features


def run_key(settings: Mapping[str, object], dataset: Dataset, labels: np.ndarray) -> str:
    """`name=value&...&data=HASH`, as in a web address: the settings in their order, and what the suggestions are made from.

    The hash is of the training rows, their labels as given (n,), where they are in the source, the validation rows and the classes.
    """
    x = *_arrays_of(dataset.train.x), *_arrays_of(dataset.validation.x)
    data = digest((*x, labels, dataset.train.rows, dataset.validation.labels), "\0".join(dataset.classes))
    return urlencode({**settings, "data": data}, errors="surrogateescape")  # a file name may be no text


def difference(key: str, expected: str) -> str:
    """In words, how the run of one key differs from the run of another."""
    theirs, ours = dict(parse_qsl(key, keep_blank_values=True)), dict(parse_qsl(expected, keep_blank_values=True))
    if "data" not in theirs:
        return "its column run does not name the settings of this program's runs"
    names = [name for name in {**ours, **theirs} if name != "data" and theirs.get(name) != ours.get(name)]
    found = [f"{name} is {theirs.get(name, 'not set')} there and {ours.get(name, 'not set')} here" for name in names]
    return ", ".join(found) or "the settings are the same, the data are not"


def _arrays_of(x: Features) -> Iterator[np.ndarray]:
    """The arrays that a matrix is made of."""
    yield from (x.data, x.indices, x.indptr) if sp.issparse(x) else (x,)
