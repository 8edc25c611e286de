"""The estimator: scikit-learn's manners, the paper's steps, degenerate inputs."""

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from esmc_core.cluster.estimator import ESMCClustering
from esmc_core.errors import Cancelled, InputError
from tests.tiny_lens import clouds


@pytest.fixture(scope="module")
def data():
    return clouds(150, 4, spread=0.8)


@pytest.fixture(scope="module")
def fitted(data):
    return ESMCClustering(4, epochs=60).fit(data[0])


@pytest.mark.parametrize("labels_from", ["argmax", "head_kmeans"])
def test_it_finds_the_clouds(data, labels_from):
    matrix, truth = data
    found = ESMCClustering(4, labels_from=labels_from, epochs=60).fit_predict(matrix)
    assert adjusted_rand_score(truth, found) == 1.0


def test_sparse_and_dense_input_give_the_same_clusters(data, fitted):
    dense = ESMCClustering(4, epochs=60).fit(data[0].toarray())
    assert adjusted_rand_score(fitted.labels_, dense.labels_) == 1.0
    assert fitted.inertia_ == pytest.approx(dense.inertia_, rel=1e-4)


def test_learned_things_have_their_shapes_and_ranges(data, fitted):
    n_rows, n_features = data[0].shape
    assert fitted.cluster_centers_.shape == (4, n_features)
    for learned in (fitted.labels_, fitted.kmeans_labels_, fitted.pseudo_labels_):
        assert learned.shape == (n_rows,)
        assert learned.dtype == np.int64
    assert fitted.confidence_.min() >= 0
    assert fitted.confidence_.max() <= 1
    assert fitted.n_features_in_ == n_features
    assert fitted.n_iter_ >= 1


def test_centres_are_means_and_distances_are_to_the_own_one(data, fitted):
    written = data[0].toarray()
    for cluster in range(4):
        mean = written[fitted.labels_ == cluster].mean(axis=0)
        np.testing.assert_allclose(fitted.cluster_centers_[cluster], mean, atol=1e-5)
    expected = np.linalg.norm(written - fitted.cluster_centers_[fitted.labels_], axis=1)
    np.testing.assert_allclose(fitted.distances_, expected, rtol=1e-3)


def test_pseudo_labels_are_a_share_of_each_kmeans_cluster(fitted):
    kept = fitted.pseudo_labels_ >= 0
    np.testing.assert_array_equal(fitted.pseudo_labels_[kept], fitted.kmeans_labels_[kept])
    sizes = np.bincount(fitted.kmeans_labels_)
    expected = np.maximum(1, np.floor(fitted.alpha * sizes + 1e-9))
    np.testing.assert_array_equal(np.bincount(fitted.pseudo_labels_[kept]), expected)


def test_clusters_are_numbered_by_size_then_by_their_first_row():
    matrix = np.repeat([[0.0], [50.0], [90.0], [20.0]], [3, 5, 3, 6], axis=0)
    found = ESMCClustering(4, use_head=False).fit_predict(matrix + np.arange(17)[:, None] * 1e-3)
    assert found.tolist() == [2] * 3 + [1] * 5 + [3] * 3 + [0] * 6


@pytest.mark.parametrize("labels_from", ["argmax", "head_kmeans"])
def test_confidence_is_of_the_cluster_in_the_label(data, labels_from):
    """K-means on the head's outputs once numbered its clusters apart from the head's classes."""
    found = ESMCClustering(4, labels_from=labels_from, epochs=60).fit(data[0])
    assert (found.confidence_ > 0.5).mean() > 0.95


def test_without_a_head_labels_are_those_of_kmeans(data):
    found = ESMCClustering(4, use_head=False).fit(data[0])
    np.testing.assert_array_equal(found.labels_, found.kmeans_labels_)
    assert (found.pseudo_labels_ == -1).all()
    distances = np.linalg.norm(data[0].toarray()[:, None] - found.cluster_centers_, axis=2)
    own, other = np.sort(distances, axis=1)[:, :2].T
    np.testing.assert_allclose(found.confidence_, 1 - own / other, atol=1e-3)


def test_same_seed_same_result(data):
    first, second = (ESMCClustering(5, epochs=5, random_state=3).fit(data[0]) for _ in range(2))
    np.testing.assert_array_equal(first.labels_, second.labels_)
    np.testing.assert_array_equal(first.confidence_, second.confidence_)


def test_it_has_the_manners_of_an_estimator():
    estimator = ESMCClustering(3, alpha=0.2, epochs=7)
    copy = clone(estimator).set_params(n_clusters=4)
    assert (copy.n_clusters, copy.alpha, copy.epochs) == (4, 0.2, 7)
    assert not hasattr(copy, "labels_")


def test_a_small_cluster_is_not_lost_while_the_head_has_hardly_learnt():
    """The head's argmax gives a few images to the large clusters; K-means on its outputs not."""
    matrix = np.repeat(np.eye(3), [60, 30, 3], axis=0)
    matrix += np.random.default_rng(0).random(matrix.shape) * 0.05
    found = ESMCClustering(3, epochs=10).fit_predict(matrix)
    assert np.bincount(found).tolist() == [60, 30, 3]
    lost = ESMCClustering(3, epochs=10, labels_from="argmax").fit_predict(matrix)
    assert len(np.bincount(lost)) < 3


def test_few_rows_take_one_thread_and_leave_the_others_theirs(data):
    """Two spinning threads beside a running model made half a second of work twenty."""
    seen = []
    with threadpool_limits(limits=2, user_api="openmp"):
        ESMCClustering(2, epochs=2).fit(
            data[0], progress=lambda *_: seen.append(torch.get_num_threads())
        )
        assert seen == [1, 1]
        assert torch.get_num_threads() == 2


def test_one_cluster_works(data):
    for use_head in (True, False):
        found = ESMCClustering(1, use_head=use_head, epochs=2).fit(data[0])
        assert not found.labels_.any()
        np.testing.assert_allclose(found.confidence_, 1.0)


def test_as_many_clusters_as_rows_works(data):
    found = ESMCClustering(6, epochs=100).fit(data[0][:6])
    assert sorted(found.kmeans_labels_.tolist()) == [0, 1, 2, 3, 4, 5]


def test_one_image_works():
    assert ESMCClustering(1).fit_predict(np.ones((1, 3))).tolist() == [0]


@pytest.mark.parametrize(
    ("n_rows", "n_clusters", "message"),
    [
        (12, 20, "12 images cannot form 20 clusters. Lower the number to 12 or fewer."),
        (12, 0, "0 clusters cannot be formed."),
        (12, -3, "-3 clusters cannot be formed."),
        (0, 1, "0 images cannot form 1 cluster. Add some images."),
    ],
)
def test_impossible_numbers_are_told_with_both_sides(data, n_rows, n_clusters, message):
    with pytest.raises(InputError) as caught:
        ESMCClustering(n_clusters).fit(data[0][:n_rows])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_matrix])
def test_more_clusters_than_different_rows_is_told(make):
    matrix = make(np.repeat(np.eye(3), 4, axis=0))
    with pytest.raises(InputError, match="12 images with only 3 different answers"):
        ESMCClustering(4).fit(matrix)
    assert len(set(ESMCClustering(3, epochs=20).fit_predict(matrix).tolist())) == 3


@pytest.mark.parametrize("alpha", [0, -0.1, 1.1, float("nan")])
def test_alpha_out_of_range_is_told(data, alpha):
    with pytest.raises(InputError, match="above 0"):
        ESMCClustering(2, alpha=alpha).fit(data[0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_matrix])
def test_numbers_that_are_not_finite_are_told(make, value):
    with pytest.raises(InputError, match="not finite"):
        ESMCClustering(1).fit(make(np.array([[0.0, value], [1.0, 2.0]])))


def test_other_wrong_input_is_told(data):
    with pytest.raises(InputError, match="kmeans"):
        ESMCClustering(2, labels_from="kmeans").fit(data[0])
    with pytest.raises(InputError, match="two dimensions"):
        ESMCClustering(2).fit(np.zeros(5))


def test_progress_counts_epochs_and_stop_stops(data):
    seen = []
    ESMCClustering(2, epochs=3).fit(data[0], progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(Cancelled):
        ESMCClustering(2, epochs=3).fit(data[0], should_stop=lambda: len(seen) == 3)


@pytest.mark.parametrize("labels_from", ["argmax", "head_kmeans"])
def test_the_head_can_be_watched_without_changing_it(data, labels_from):
    plain = ESMCClustering(4, epochs=5, labels_from=labels_from).fit(data[0])
    seen = []
    watched = ESMCClustering(4, epochs=5, labels_from=labels_from)
    watched.fit(data[0], on_epoch=lambda *state: seen.append(state))
    np.testing.assert_array_equal(watched.labels_, plain.labels_)
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3, 4, 5]
    _, outputs, labels = seen[-1]
    assert outputs.shape == (150, 4)
    assert adjusted_rand_score(plain.labels_, labels) == 1.0
    if labels_from == "argmax":
        np.testing.assert_array_equal(labels, outputs.argmax(axis=1))
