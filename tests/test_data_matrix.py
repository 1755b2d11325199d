import numpy as np
import pytest
import scipy.sparse as sp

from data.matrix import apart, compact, density, rows_among

SPARSE = np.array([[0, 3, 0, 0], [0, 0, 0, -2], [0, 0, 0, 0]])
FULL = np.array([[1, 3, 0, 4], [5, 0, 0, -2], [1, 0, 2, 0]])
KINDS = [np.asarray, sp.csr_array, sp.csc_array, sp.coo_array]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8])
def test_many_values_become_a_dense_float64_array_of_the_same(kind: type, dtype: type) -> None:
    x = compact(kind(FULL.astype(dtype)))
    assert isinstance(x, np.ndarray)
    assert x.dtype == np.float64
    assert x.flags.c_contiguous
    assert x.tolist() == FULL.tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8])
def test_few_values_become_a_float64_csr_array_of_the_same(kind: type, dtype: type) -> None:
    x = compact(kind(SPARSE.astype(dtype)))
    assert isinstance(x, sp.csr_array)
    assert x.dtype == np.float64
    assert x.toarray().tolist() == SPARSE.tolist()


def test_csr_indices_become_32_bit_and_those_given_stay() -> None:
    wide = sp.csr_array(SPARSE)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    x = compact(wide)
    assert (x.indices.dtype, x.indptr.dtype) == (np.int32, np.int32)
    assert (wide.indices.dtype, wide.indptr.dtype) == (np.int64, np.int64)
    assert x.toarray().tolist() == wide.toarray().tolist() == SPARSE.tolist()


@pytest.mark.parametrize(("filled", "dense"), [(50, True), (49, False)])
def test_half_of_the_cells_is_where_dense_begins(filled: int, dense: bool) -> None:
    x = np.zeros(100)
    x[:filled] = 1
    assert isinstance(compact(x.reshape(10, 10)), np.ndarray) == dense


def test_density_counts_what_is_stored() -> None:
    assert density(SPARSE) == 2 / 12
    stored = sp.csr_array((np.zeros(3), np.array([0, 1, 2]), np.array([0, 3, 3])), shape=(2, 3))
    assert density(stored) == 3 / 6


@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_a_matrix_without_cells_keeps_its_shape(shape: tuple[int, int]) -> None:
    assert density(np.zeros(shape)) == 0
    assert compact(np.zeros(shape)).shape == shape


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("other_kind", [np.asarray, sp.csr_array])
def test_rows_are_found_among_others_dense_or_sparse(kind: type, other_kind: type) -> None:
    """The parts of one data set may be dense and sparse, as `compact` looks at each."""
    x = np.array([[0, 3, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0], [0, 3, 0, 1]], dtype=float)
    others = np.array([[0, 3, 0, 0], [0, 0, 0, 0], [0, 1, 0, 3]], dtype=float)
    assert rows_among(kind(x), other_kind(others)).tolist() == [True, False, True, False]


def test_rows_are_compared_whatever_the_order_of_their_cells_and_with_zeros_that_are_stored() -> None:
    rows = sp.csr_array((np.array([2.0, 1.0, 0.0]), np.array([3, 1, 0]), np.array([0, 3])), shape=(1, 4))
    assert rows_among(rows, np.array([[0, 1, 0, 2.0]])).tolist() == [True]
    assert rows.indices.tolist() == [3, 1, 0]


def test_many_rows_are_compared_one_by_one() -> None:
    x = np.random.default_rng(0).integers(0, 256, (2_000, 3, 8, 8), dtype=np.uint8)
    among = rows_among(x[:1_500], x[1_000:])
    assert among.tolist() == [False] * 1_000 + [True] * 500


def test_rows_on_another_scale_are_told() -> None:
    x = np.random.default_rng(0).uniform(size=(400, 5))
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    assert apart(x[:100], x[100:]) is None
    assert apart(sp.csr_array(x[:100]), sp.csr_array(x[100:])) is None
    found = apart(255 * x[:10], x[100:])
    assert found is not None
    assert found.name == "a mean norm"
    np.testing.assert_allclose(found.of_others, np.sqrt((x[100:] ** 2).sum(axis=1).mean()))
    found = apart(x[:100], scaled[100:])  # close in norm
    assert found is not None
    assert found.name == "a spread"
    np.testing.assert_allclose(found.of_rows, np.sqrt(((x[:100] - x[:100].mean(axis=0)) ** 2).sum(axis=1).mean()))


def test_scales_of_rows_with_many_empty_columns_cost_no_memory() -> None:
    x = np.random.default_rng(0).uniform(size=(20, 3))
    wide, scaled = (
        sp.csr_array((each.ravel(), np.tile([0, 7, 2**44], 20), np.arange(0, 61, 3)), shape=(20, 2**45))
        for each in (x, (x - x.mean(axis=0)) / x.std(axis=0))
    )
    assert apart(wide, wide) is None
    found = apart(wide, scaled)
    assert found is not None
    assert found == ("a spread", pytest.approx(x.var(axis=0).sum() ** 0.5), pytest.approx(3**0.5))
