"""K-means against scikit-learn's, and on inputs that are hard for it."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from esmc_core.cluster import kmeans
from esmc_core.cluster.kmeans import choose_starts, fit_kmeans, refine
from esmc_core.cluster.rows import rows_of
from esmc_core.errors import Cancelled
from tests.tiny_lens import clouds


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_clusters", [2, 7])
def test_same_start_gives_the_labels_of_scikit_learn(seed, n_clusters):
    matrix, _ = clouds(300, 5, spread=1.5, seed=seed)
    sparse, dense = rows_of(matrix), rows_of(matrix.toarray())
    start = choose_starts(sparse, n_clusters, generator=torch.Generator().manual_seed(seed))
    expected = KMeans(n_clusters, init=matrix.toarray()[start.numpy()], n_init=1).fit(matrix)
    for rows in (sparse, dense):
        found = refine(rows, rows.dense(start))
        np.testing.assert_array_equal(found.labels.numpy(), expected.labels_)
        assert found.inertia == pytest.approx(expected.inertia_, rel=1e-5)
        np.testing.assert_allclose(
            rows.expand(found.centroids), expected.cluster_centers_, atol=1e-5
        )


def test_restarts_reach_the_inertia_of_scikit_learn():
    matrix, truth = clouds(300, 6, spread=1.0)
    found = fit_kmeans(rows_of(matrix), 6)
    expected = KMeans(6, n_init=10, random_state=0).fit(matrix)
    assert found.inertia <= expected.inertia_ * (1 + 1e-4)
    assert adjusted_rand_score(truth, found.labels.numpy()) == 1.0


def test_same_seed_same_labels_and_another_seed_other_starts():
    rows = rows_of(clouds(100, 4, spread=3.0)[0])
    first, second = (fit_kmeans(rows, 4, n_init=2, seed=5).labels for _ in range(2))
    assert torch.equal(first, second)
    starts = [
        choose_starts(rows, 4, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)
    ]
    assert not torch.equal(*starts)


def test_starts_are_spread_over_the_clusters():
    rows = rows_of(np.repeat(np.eye(6, dtype=np.float32) * 10, 30, axis=0))
    for seed in range(20):
        start = choose_starts(rows, 6, generator=torch.Generator().manual_seed(seed))
        assert sorted((start // 30).tolist()) == [0, 1, 2, 3, 4, 5]


def test_an_empty_cluster_gets_the_farthest_row():
    rows = rows_of(np.array([[0.0], [0.1], [0.2], [9.0]], dtype=np.float32))
    # No row is nearest to the second centroid.
    found = refine(rows, torch.tensor([[0.1], [500.0]]))
    assert found.labels.tolist() == [0, 0, 0, 1]


def test_as_many_clusters_as_rows_leaves_each_row_alone():
    rows = rows_of(np.arange(5, dtype=np.float32)[:, None])
    found = fit_kmeans(rows, 5)
    assert sorted(found.labels.tolist()) == [0, 1, 2, 3, 4]
    assert found.inertia == pytest.approx(0, abs=1e-6)


def test_one_cluster_has_the_mean_for_its_centroid():
    matrix, _ = clouds(30, 3)
    rows = rows_of(matrix)
    found = fit_kmeans(rows, 1)
    assert not found.labels.any()
    np.testing.assert_allclose(rows.expand(found.centroids)[0], matrix.toarray().mean(0), atol=1e-6)


def test_rows_that_are_all_the_same_end():
    assert fit_kmeans(rows_of(np.ones((6, 3))), 2).inertia == pytest.approx(0, abs=1e-9)


def test_it_stops_when_told():
    with pytest.raises(Cancelled):
        fit_kmeans(rows_of(clouds()[0]), 3, should_stop=lambda: True)


@pytest.mark.parametrize("trial_rows", [1_000, 40])
def test_progress_grows_towards_what_is_foreseen_and_changes_nothing(monkeypatch, trial_rows):
    monkeypatch.setattr(kmeans, "TRIAL_ROWS", trial_rows)
    rows, told = rows_of(clouds(150, 4)[0]), []
    found = fit_kmeans(rows, 4, n_init=3, progress=lambda *step: told.append(step))
    assert torch.equal(found.labels, fit_kmeans(rows, 4, n_init=3).labels)
    done = [step[0] for step in told]
    assert done[0] == 0 and done == sorted(done) and len(set(done)) == len(done) - 1
    assert all(done < foreseen for done, foreseen in told[:-1])
    assert told[-1][0] == told[-1][1]


def test_it_stops_within_a_start_and_within_a_run():
    rows = rows_of(np.random.default_rng(0).random((300, 8), dtype=np.float32))
    for n_before in (2, 30):
        asked = []

        def should_stop(asked=asked, n_before=n_before):
            asked.append(True)
            return len(asked) > n_before

        with pytest.raises(Cancelled):
            fit_kmeans(rows, 20, n_init=1, should_stop=should_stop)
        assert len(asked) == n_before + 1
