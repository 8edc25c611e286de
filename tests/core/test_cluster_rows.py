"""Sparse rows do what their written-out form does."""

import numpy as np
import pytest
import scipy.sparse
import torch
from scipy.spatial.distance import cdist

from esmc_core.cluster.rows import DenseRows, SparseRows, count_distinct_rows, rows_of
from tests.tiny_lens import clouds


@pytest.fixture(params=["sparse", "dense"])
def case(request):
    matrix, truth = clouds(50, 3)
    written = matrix.toarray()
    return rows_of(matrix if request.param == "sparse" else written), written, truth


def test_squared_distances_equal_scipy(case):
    rows, written, _ = case
    chosen = torch.tensor([3, 20, 41])
    found = rows.squared_distances(rows.dense(chosen))
    expected = cdist(written, written[chosen.numpy()], "sqeuclidean")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_centroids_are_the_means_of_the_clusters_and_zero_for_an_empty_one(case):
    rows, written, truth = case
    found = rows.expand(rows.centroids(torch.from_numpy(truth), 4))
    expected = [written[truth == cluster].mean(axis=0) for cluster in range(3)]
    np.testing.assert_allclose(found[:3], expected, atol=1e-6)
    if isinstance(rows, SparseRows):
        assert not found[3].any()


def test_mean_variance_equals_numpy(case):
    rows, written, _ = case
    assert rows.mean_variance == pytest.approx(written.var(axis=0).mean(), rel=1e-5)


def test_taken_rows_are_the_same_rows(case):
    rows, written, _ = case
    some = rows.take(torch.tensor([5, 2]))
    found = rows.expand(some.dense(torch.arange(2)))
    np.testing.assert_allclose(found, written[[5, 2]], atol=1e-6)


def test_only_columns_in_use_are_kept():
    matrix = scipy.sparse.csr_matrix(([1.0, 2.0], ([0, 1], [7, 31_000])), shape=(3, 32_000))
    rows = SparseRows.from_csr(matrix)
    assert rows.n_columns == 2
    assert rows.n_features == 32_000
    assert rows.columns.tolist() == [7, 31_000]
    assert rows.expand(rows.dense(torch.tensor([1])))[0, 31_000] == 2.0


def test_compressed_rows_keep_their_values_on_fewer_columns():
    rows = SparseRows.from_csr(clouds(50, 3)[0]).take(torch.tensor([0, 1]))
    small, used = rows.compressed()
    assert small.n_columns == len(used) < rows.n_columns
    everything = torch.arange(2)
    np.testing.assert_array_equal(
        small.expand(small.dense(everything)), rows.expand(rows.dense(everything))
    )


def test_duplicate_entries_of_a_csr_are_added_up():
    matrix = scipy.sparse.csr_matrix((np.ones(2), np.array([1, 1]), np.array([0, 2])), (1, 3))
    assert SparseRows.from_csr(matrix).squared_norms.item() == 4.0
    assert matrix.nnz == 2  # the caller's matrix is left alone


def test_a_matrix_of_zeros_has_distances_zero():
    rows = SparseRows.from_csr(scipy.sparse.csr_matrix((4, 9)))
    assert rows.squared_distances(rows.dense(torch.tensor([0]))).abs().max() == 0


def test_a_large_offset_does_not_eat_the_precision():
    values = np.random.default_rng(0).random((30, 5)) + 10_000
    rows = DenseRows.from_array(values)
    expected = cdist(values, values[:3], "sqeuclidean")
    found = rows.squared_distances(rows.dense(torch.arange(3))).numpy()
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_distinct_rows_are_counted_until_enough_are_found():
    written = np.array([[0, 1], [0, 1], [1, 0], [2, 0]], dtype=np.float32)
    for matrix in (written, scipy.sparse.csr_matrix(written)):
        assert count_distinct_rows(matrix, 9) == 3
        assert count_distinct_rows(matrix, 2) == 2
