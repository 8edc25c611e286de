"""Clusters that follow the answers: neighbours averaged, small clusters merged, votes counted."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from esmc_core.cluster.clustering import Source
from esmc_core.errors import Cancelled
from esmc_core.texts import guided
from esmc_core.texts.clustering import cluster_texts, text_settings
from esmc_core.texts.embedder import normalised
from esmc_core.texts.guided import (
    GuideSettings,
    count_votes,
    guided_labels,
    leading_directions,
    merge,
    neighbour_means,
)
from esmc_core.texts.preferences import Preferences, joined

NO_ANSWERS = joined([])


def spots(n_each=30, n_spots=12, seed=0):
    """Small clusters far apart, of which each two neighbours in number make one class."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_spots, 20))
    rows = np.concatenate([rng.normal(c, 0.1, (n_each, 20)) for c in centres])
    return normalised(rows), np.repeat(np.arange(n_spots) // 2, n_each)


def answered(classes, n=600, seed=0):
    """Answers of a perfect judge about random triplets."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        query, one, other = rng.choice(len(classes), 3, replace=False)
        alike = classes[query] == classes[one], classes[query] == classes[other]
        if alike[1] and not alike[0]:
            one, other = other, one
        rows.append((query, one, other, int(alike[0] != alike[1])))
    return Preferences.of(np.array(rows))


def test_a_text_becomes_the_mean_of_its_neighbours(monkeypatch):
    embeddings, _ = spots()
    found = neighbour_means(embeddings, 4)
    for text in (0, 100, 359):
        nearest = np.argsort(-embeddings @ embeddings[text])[:5]
        np.testing.assert_allclose(
            found[text], normalised(embeddings[nearest].sum(axis=0)[None])[0], atol=1e-5
        )
    monkeypatch.setattr(guided, "_BLOCK", 1000)
    np.testing.assert_allclose(neighbour_means(embeddings, 4), found, atol=1e-5)
    monkeypatch.setattr(guided, "_SEARCHED", 200)
    sampled = neighbour_means(embeddings, 4)
    assert (sampled * found).sum(axis=1).min() > 0.95, "neighbours of a sample are as good"


def test_leading_directions_keep_the_distances():
    rows = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    flat = np.concatenate([rows, rows @ np.ones((6, 6), dtype=np.float32)], axis=1)
    found = leading_directions(flat, 6)
    assert found.shape == (50, 6)
    np.testing.assert_allclose(
        np.linalg.norm(found[0] - found[1]), np.linalg.norm(flat[0] - flat[1]), rtol=1e-4
    )


def test_votes_are_about_the_choices():
    small = np.array([0, 1, 2, 2])
    data = Preferences(
        np.array([0]), np.array([1]), np.array([2]), undecided=np.array([[0, 1, 3], [3, 0, 1]])
    )
    together, apart = count_votes(small, data)
    assert together[1, 2] == together[2, 1] == 1 and together[0, 1] == together[1, 0] == 1
    assert apart[1, 2] == apart[2, 1] == 1 and apart.sum() == 2


def test_without_answers_even_merging_is_wards():
    points = np.random.default_rng(1).normal(size=(40, 5))
    settings = GuideSettings(evenness=1.0)
    found = merge(points, np.arange(40), 7, np.zeros((2, 40, 40)), settings)
    expected = AgglomerativeClustering(n_clusters=7, linkage="ward").fit_predict(points)
    assert adjusted_rand_score(expected, found) == 1


def test_answers_decide_which_spots_belong_together():
    embeddings, classes = spots()
    plain = guided_labels(embeddings, 6, NO_ANSWERS)
    told = guided_labels(embeddings, 6, answered(classes), GuideSettings(weight=4.0))
    assert adjusted_rand_score(classes, told) > adjusted_rand_score(classes, plain) + 0.1
    again = guided_labels(embeddings, 6, answered(classes), GuideSettings(weight=4.0))
    np.testing.assert_array_equal(told, again)


@pytest.mark.parametrize("n_clusters", [1, 5, 12, 60])
def test_as_many_clusters_as_were_asked_for(n_clusters):
    embeddings, classes = spots()
    labels = guided_labels(embeddings, n_clusters, answered(classes))
    assert sorted(set(labels)) == list(range(n_clusters))


def test_few_and_equal_texts():
    embeddings = normalised(np.random.default_rng(0).normal(size=(5, 8)))
    assert len(set(guided_labels(embeddings, 5, NO_ANSWERS))) == 5
    assert len(set(guided_labels(np.repeat(embeddings, 30, axis=0), 5, NO_ANSWERS))) == 5


def test_the_record_of_guided_clusters():
    embeddings, classes = spots()
    texts = [f"text {i}" for i in range(len(embeddings))]
    found = cluster_texts(
        texts, embeddings, text_settings(6), Source(), answers=answered(classes), with_terms=False
    )
    assert (np.diff(found.sizes) <= 0).all() and found.sizes.sum() == len(texts)
    centre = embeddings[found.labels == 2].mean(axis=0)
    text = int(np.flatnonzero(found.labels == 2)[0])
    distance = np.linalg.norm(embeddings[text] - centre)
    assert found.distances[text] == pytest.approx(distance, abs=1e-4)
    assert found.confidence.min() >= 0 and found.confidence.max() <= 1
    with pytest.raises(Cancelled):
        guided_labels(embeddings, 6, NO_ANSWERS, should_stop=lambda: True)
