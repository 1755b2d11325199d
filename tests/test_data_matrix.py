import numpy as np
import pytest
import scipy.sparse as sp

from data.matrix import compact, density

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
