"""Why this label? For the samples that a page shows first, the training rows that speak most for one label or the other.

Of the rows of whose label a repair is sure, these are those with the largest relative influence (Barshan et al. 2020): with the
Hessian H = I + c X^T X, c the mean curvature at C = 1, row j moves the logit of its label at sample i, for a gradient of length 1
in H's metric, by

    x_j^T H^-1 x_i / sqrt(x_j^T H^-1 x_j)

Where features are sparse or many, H's diagonal is taken for H.
"""

import numpy as np
import scipy.sparse as sp

from data.dataset import Dataset
from data.matrix import Features
from influence.logistic import squares
from influence.softmax import shared_curvature
from page.review import abouts, ends_of, joined_sheets, pictures_of

ALIKE_SAMPLES = 200  # from the top of each order of the page
ALIKE_EACH = 2  # rows of each of two labels
SURE_LABEL = 0.95  # probability of a row's given label from which it is shown as one that has it
MOST_WHITENED = 1_500  # columns of dense features up to which all of H is used
ALIKE_BUDGET = 250_000  # bytes of the pictures of these rows
AT_A_TIME = 50  # samples


def alike(x: Features, q: np.ndarray, p: np.ndarray, given: np.ndarray, first: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Places of the rows most like some samples, (s, 2 ALIKE_EACH): of the given label, then of the other; -1 where none is left.

    x: (n, d), q: (n, K) of the true labels, p: (n, K) of the true label by features alone. given: (n,).
    first: (s,) places of the samples. pairs: (s, 2) the given label of each and the other one.
    """
    sure = np.flatnonzero(q[np.arange(len(given)), given] >= SURE_LABEL)
    scaled = in_metric(x, float(shared_curvature(p, 1.0).mean()))
    lengths = np.sqrt(squares(scaled).sum(axis=1))
    others, found = scaled[sure], np.full((len(first), 2 * ALIKE_EACH), -1)
    units = np.where(lengths[sure] > 0, lengths[sure], np.inf)
    for start in range(0, len(first), AT_A_TIME):
        some = slice(start, start + AT_A_TIME)
        products = scaled[first[some]] @ others.T
        near = (products.toarray() if sp.issparse(products) else products) / units
        near[first[some][:, None] == sure] = -np.inf
        for side in range(2):
            of_label = np.where(given[sure] == pairs[some, side, None], near, -np.inf)
            best = np.argsort(-of_label, axis=1, kind="stable")[:, :ALIKE_EACH]
            is_there = np.take_along_axis(of_label, best, axis=1) > -np.inf
            found[some, side * ALIKE_EACH : side * ALIKE_EACH + best.shape[1]] = np.where(is_there, sure[best], -1)
    return found


def in_metric(x: Features, curvature: float) -> Features:
    """Rows whose products are x_i^T H^-1 x_j, H = I + c X^T X, or its diagonal. x: (n, d)."""
    if not sp.issparse(x) and x.shape[1] <= MOST_WHITENED:
        sizes, axes = np.linalg.eigh(x.T @ x)
        return (x @ axes) / np.sqrt(1.0 + curvature * np.maximum(sizes, 0.0))
    scale = 1.0 / np.sqrt(1.0 + curvature * squares(x).sum(axis=0))
    return sp.csr_array(x.multiply(scale)) if sp.issparse(x) else x * scale


def examples(samples: np.ndarray, found: np.ndarray, dataset: Dataset, given: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of a review that show what `alike` found. samples: (s,) places in the review. given: (n,)."""
    places = np.unique(found[found >= 0])
    rows, pictures = dataset.train.rows[places], pictures_of(dataset, places, ALIKE_BUDGET)
    numbers = np.where(found < 0, -1, np.searchsorted(places, found))
    return {
        "alike_samples": samples.astype(np.uint32),
        "alike": numbers.astype(np.int32),
        "example_rows": rows.astype(np.uint32),
        "example_labels": given[places].astype(np.uint16),
        "example_about": np.array(abouts(dataset, rows, pictures.held), dtype=str),
        "example_sheets": joined_sheets(pictures),
        "example_ends": ends_of(pictures),
    }
