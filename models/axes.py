"""Dense features along their principal axes, where a fit takes half the iterations and wide pictures have fewer columns.

The penalty |W|^2 and the logits do not change under a rotation: a fit along the axes is the fit on the features.
"""

from contextlib import AbstractContextManager

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from data.matrix import density
from influence.rows import AnyRows, is_matrix

MOST_AXES = 3_000  # beyond them the rotation takes longer than it saves
LARGEST = 1e100  # entries of which no squares can be summed
MANY_ENTRIES = 5_000_000  # of a dense matrix whose products are faster on several threads
FILLED = 0.12  # share of the entries from which sparse features are faster as dense ones, ...
MOST_ENTRIES = 100_000_000  # ... if these fit into memory several times


def principal_axes(*parts: AnyRows) -> np.ndarray | None:
    """Orthonormal axes (d, r) that span all rows of the parts, with r the smaller of d and the rows; None where they do not pay.

    parts: (n, d) each. Of sparse features with few entries there are none: along axes they would be dense. Nor are there for rows
    on other machines.
    """
    if not is_matrix(parts[0]):
        return None
    n, d = sum(part.shape[0] for part in parts), parts[0].shape[1]
    if min(n, d) > MOST_AXES or n * d > MOST_ENTRIES or (sp.issparse(parts[0]) and density(parts[0]) < FILLED):
        return None
    rows = np.vstack([part.toarray() if sp.issparse(part) else part for part in parts])
    if not np.abs(rows).max(initial=0.0) < LARGEST:
        return None
    if n >= d:
        return np.linalg.eigh(rows.T @ rows)[1]
    span = np.linalg.qr(rows.T)[0]  # (d, n)
    inner = rows @ span
    return span @ np.linalg.eigh(inner.T @ inner)[1]


def short_products(x: AnyRows) -> AbstractContextManager[object]:
    """BLAS on one thread for many small products: where another process has a core, a second thread that waits costs tenfold."""
    return threadpool_limits(None if isinstance(x, np.ndarray) and x.size > MANY_ENTRIES else 1, "blas")
