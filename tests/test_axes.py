"""Features along principal axes: a repair along them is the repair."""

import numpy as np
import pytest
import scipy.sparse as sp

from models import axes
from models.axes import principal_axes
from models.repair import repair
from tests.test_repair import table


@pytest.mark.parametrize(("n", "d"), [(30, 5), (8, 20)])
def test_axes_are_orthonormal_span_all_rows_and_along_them_columns_are_orthogonal(n: int, d: int) -> None:
    rng = np.random.default_rng(0)
    x, trusted = rng.standard_normal((n, d)), rng.standard_normal((3, d))
    found = principal_axes(x, trusted)
    assert found is not None
    assert found.shape == (d, min(d, n + 3))
    np.testing.assert_allclose(found.T @ found, np.eye(found.shape[1]), atol=1e-12)
    rows = np.vstack([x, trusted])
    np.testing.assert_allclose(rows @ found @ found.T, rows, atol=1e-12)
    gram = (rows @ found).T @ (rows @ found)
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10)


def test_there_are_none_for_sparse_or_for_very_wide_features(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.ones((9, 7))
    assert principal_axes(sp.csr_array(np.eye(20)), np.eye(20)) is None
    assert principal_axes(sp.csr_array(x), sp.csr_array(x)) is not None  # stored as sparse, and filled
    monkeypatch.setattr(axes, "MOST_AXES", 6)
    assert principal_axes(x, x) is None


def test_a_repair_along_axes_is_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    data = table().data
    monkeypatch.setattr("models.soft_regression.ROUGH_TOLERANCE", 1e-7)
    monkeypatch.setattr("models.pool.POOL_GRADIENT", 1e-6)
    monkeypatch.setattr("models.repair.SMALL", 0)
    along = repair(data, np.random.default_rng(0))
    monkeypatch.setattr(axes, "MOST_AXES", 0)
    plain = repair(data, np.random.default_rng(0))
    np.testing.assert_allclose(along.p_wrong, plain.p_wrong, atol=5e-3)
    np.testing.assert_allclose(along.phi, plain.phi, atol=2e-2 * np.abs(plain.phi).max())
    for name in plain.methods:
        np.testing.assert_allclose(
            data.x @ along.methods[name].weights.T, data.x @ plain.methods[name].weights.T, rtol=5e-3, atol=2e-2
        )
