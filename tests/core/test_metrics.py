"""Metrics by hand and against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from esmc_core.cluster.rows import rows_of
from esmc_core.errors import Cancelled, InputError
from esmc_core.metrics import (
    compare_with_truth,
    score_cluster_counts,
    silhouette,
    stability,
    suggest_cluster_count,
)
from tests.tiny_lens import clouds


def test_a_case_computed_by_hand():
    found = compare_with_truth(np.array([0, 0, 1, 1, 1]), ["b", "b", "b", "a", "a"])
    # Of ten pairs 1 + 1 are together in both and 4 apart in both; four of five are matched.
    assert found.rand_index == pytest.approx(0.6)
    assert found.accuracy == pytest.approx(0.8)
    assert found.n_images == 5


def test_the_numbering_plays_no_part():
    truth = list("aabbccc")
    found = compare_with_truth(np.array([2, 2, 0, 0, 1, 1, 1]), truth)
    assert (found.nmi, found.rand_index, found.ari, found.accuracy) == pytest.approx((1, 1, 1, 1))


def test_nmi_is_the_arithmetic_one():
    labels, truth = np.array([0, 1, 2, 3]), [0, 0, 1, 1]
    assert compare_with_truth(labels, truth).nmi == pytest.approx(2 * 1 / (1 + 2))


def test_more_clusters_than_classes_can_be_matched():
    assert compare_with_truth(np.array([0, 1, 2, 3]), ["a"] * 4).accuracy == 0.25


def test_images_without_a_truth_are_left_out():
    found = compare_with_truth(np.array([0, 1, 1, 0]), ["a", "b", None, float("nan")])
    assert (found.n_images, found.accuracy) == (2, 1.0)


def test_unusable_truth_is_told():
    with pytest.raises(InputError, match="3 true labels do not fit 2 images"):
        compare_with_truth(np.zeros(2, dtype=int), [1, 2, 3])
    with pytest.raises(InputError, match="No true label"):
        compare_with_truth(np.zeros(2, dtype=int), ["", None])


@pytest.mark.parametrize("sparse", [True, False])
def test_silhouette_equals_scikit_learn(sparse):
    matrix, truth = clouds(600, 4, spread=2.0)
    truth = truth.copy()
    truth[0] = 77  # a cluster of one image
    found = silhouette(matrix if sparse else matrix.toarray(), truth)
    assert found == pytest.approx(silhouette_score(matrix.toarray(), truth), abs=1e-4)


def test_silhouette_of_a_sample_is_near_that_of_all():
    matrix, truth = clouds(900, 4, spread=1.0)
    part = silhouette(matrix, truth, max_images=300)
    assert part == silhouette(matrix, truth, max_images=300)
    assert part == pytest.approx(silhouette(matrix, truth), abs=0.05)


def test_silhouette_is_undefined_for_one_cluster_and_for_single_images():
    matrix, _ = clouds(10, 2)
    assert silhouette(matrix, np.zeros(10, dtype=int)) is None
    assert silhouette(matrix, np.arange(10)) is None


def test_the_true_number_is_stable_and_suggested():
    matrix, _ = clouds(200, 4, spread=0.5)
    scores = score_cluster_counts(matrix, range(2, 8))
    assert suggest_cluster_count(scores) == 4
    assert stability(rows_of(matrix), 4) == pytest.approx(1.0)
    assert stability(rows_of(matrix), 7) < 0.95


def test_impossible_numbers_are_left_out_of_the_curve():
    matrix, _ = clouds(6, 2)
    scores = score_cluster_counts(matrix, [0, 1, 2, 6, 7])
    assert [score.n_clusters for score in scores] == [1, 2, 6]
    assert suggest_cluster_count([scores[0]]) is None


def test_the_curve_tells_its_progress_and_stops():
    matrix, _ = clouds(20, 2)
    seen = []
    score_cluster_counts(matrix, [2, 3], progress=lambda *step: seen.append(step))
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(Cancelled):
        score_cluster_counts(matrix, [2], should_stop=lambda: True)
