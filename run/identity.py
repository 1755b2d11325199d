"""The key of a run: a line of text with its settings and a hash of its data. A file of decisions names the run it belongs to."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlencode

import numpy as np
import scipy.sparse as sp

from data.arrays import digest
from data.dataset import Dataset
from data.matrix import Features


def run_key(settings: Mapping[str, object], dataset: Dataset, labels: np.ndarray) -> str:
    """`name=value&...&data=HASH`, as in a web address.

    The hash covers all that the suggestions depend on: the training rows, their given labels (n,) and places in the source, the
    validation rows and the classes.
    """
    x = *_arrays_of(dataset.train.x), *_arrays_of(dataset.validation.x)
    data = digest((*x, labels, dataset.train.rows, dataset.validation.labels), "\0".join(dataset.classes))
    return urlencode({**settings, "data": data}, errors="surrogateescape")  # a file name may not be valid text


def difference(key: str, expected: str) -> str:
    """In words, how the run of `key` differs from the `expected` one."""
    theirs, ours = dict(parse_qsl(key, keep_blank_values=True)), dict(parse_qsl(expected, keep_blank_values=True))
    if "data" not in theirs:
        return "its column run was not written by this program"
    names = [name for name in {**ours, **theirs} if name != "data" and theirs.get(name) != ours.get(name)]
    found = [f"{name} is {theirs.get(name, 'not set')} in the file and {ours.get(name, 'not set')} here" for name in names]
    return ", ".join(found) or "the settings are the same, but the data differ"


def _arrays_of(x: Features) -> Iterator[np.ndarray]:
    """The arrays of a dense or a sparse matrix."""
    yield from (x.data, x.indices, x.indptr) if sp.issparse(x) else (x,)
