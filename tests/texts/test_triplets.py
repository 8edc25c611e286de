"""Fine clusters, the entropy between the closest, and the triplets drawn of them."""

import math

import numpy as np
import pytest

from esmc_core.errors import InputError
from esmc_core.texts.soft_clusters import SoftClusters, cluster_softly, standardised
from esmc_core.texts.triplets import (
    Triplet,
    embedder_choices,
    margins,
    most_undecided,
    sample_triplets,
)


def blobs(n_each=40, n_blobs=6, dimension=8, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 4, (n_blobs, dimension))
    return np.concatenate([rng.normal(centre, 1, (n_each, dimension)) for centre in centres])


def test_entropy_as_in_the_paper():
    """q ∝ 1 / (1 + distance²) over the closest clusters, computed here one by one."""
    embeddings = blobs()
    soft = cluster_softly(embeddings)
    rows = standardised(embeddings)
    centres = np.stack([rows[soft.labels == c].mean(axis=0) for c in range(soft.n_clusters)])
    n_close = max(2, round(0.02 * soft.n_clusters))
    for i in (0, 57, 239):
        q = np.array([1 / (1 + ((rows[i] - centre) ** 2).sum()) for centre in centres])
        closest = np.argsort(-q)[:n_close]
        q = q[closest] / q[closest].sum()
        assert soft.closest[i].tolist() == closest.tolist()
        assert soft.entropy[i] == pytest.approx(-(q * np.log(q)).sum())


def test_a_text_halfway_is_the_most_undecided():
    embeddings = np.concatenate([blobs(n_blobs=2), np.zeros((1, 8))])
    embeddings[-1] = (embeddings[:40].mean(axis=0) + embeddings[40:80].mean(axis=0)) / 2
    soft = cluster_softly(embeddings)
    assert soft.entropy.max() <= math.log(soft.closest.shape[1]) + 1e-9
    assert len(most_undecided(soft)) == 16
    assert 80 in most_undecided(soft)


@pytest.mark.parametrize("n_texts", [4, 5, 30])
def test_few_texts_still_give_clusters_to_choose_between(n_texts):
    """Thirty sentences were one cluster, or one each: nothing to ask."""
    embeddings = np.random.default_rng(0).normal(size=(n_texts, 16))
    soft = cluster_softly(embeddings)
    assert 2 <= soft.n_clusters <= n_texts // 2
    assert sample_triplets(embeddings, 10)


def test_large_sets_go_through_kmeans(monkeypatch):
    monkeypatch.setattr("esmc_core.texts.soft_clusters._AGGLOMERATIVE_TEXTS", 200)
    soft = cluster_softly(blobs(n_each=60))
    assert 50 < soft.n_clusters <= 100


def test_too_few_and_equal_texts():
    with pytest.raises(InputError, match="3 texts are too few"):
        cluster_softly(np.eye(3))
    with pytest.raises(InputError, match="3 texts are too few"):
        sample_triplets(np.eye(3), sampling="random")
    assert len(sample_triplets(np.ones((10, 4)), 5)) <= 5


def test_triplets_are_of_undecided_queries_and_two_of_their_closest_clusters():
    embeddings = blobs()
    soft = cluster_softly(embeddings, seed=3)
    triplets = sample_triplets(embeddings, 100, seed=3, sampling="paper")
    assert len(triplets) == len({t.unordered for t in triplets}) == 100
    undecided = set(most_undecided(soft).tolist())
    for triplet in triplets:
        assert triplet.query in undecided
        assert triplet.query not in (triplet.choice1, triplet.choice2)
        chosen = {soft.labels[triplet.choice1], soft.labels[triplet.choice2]}
        assert len(chosen) == 2 and chosen <= set(soft.closest[triplet.query].tolist())
    first_round = [t.query for t in triplets[: len(undecided)]]
    assert len(set(first_round)) > 0.9 * len(undecided), "each query before any twice"


def test_the_order_of_choices_is_random_and_the_seed_decides():
    embeddings = blobs()
    soft = cluster_softly(embeddings)
    triplets = sample_triplets(embeddings, 200)
    nearest_first = [soft.labels[t.choice1] == soft.closest[t.query][0] for t in triplets]
    assert 0.35 < np.mean(nearest_first) < 0.65
    assert sample_triplets(embeddings, 200) == triplets
    assert sample_triplets(embeddings, 200, seed=1) != triplets


def test_choices_are_the_central_texts_of_the_two_closest_clusters():
    embeddings = blobs()
    soft = cluster_softly(embeddings)
    for triplet in sample_triplets(embeddings, 100):
        choices = triplet.choice1, triplet.choice2
        close = soft.closest[triplet.query][:2].tolist()
        assert sorted(soft.labels[list(choices)]) == sorted(close)
        for choice in choices:
            members = soft.members(int(soft.labels[choice]))
            nearer = (soft.distances[members] < soft.distances[choice]).sum()
            assert nearer < max(2, 0.3 * len(members) + 1)


@pytest.mark.parametrize("sampling", ["entropy", "paper", "random"])
def test_a_second_round_draws_others(sampling):
    embeddings = blobs()
    first = sample_triplets(embeddings, 100, sampling=sampling)
    second = sample_triplets(embeddings, 100, sampling=sampling, known=first)
    assert not {t.unordered for t in first} & {t.unordered for t in second}


def test_no_more_than_there_are():
    embeddings = np.random.default_rng(0).normal(size=(4, 3))
    assert len(sample_triplets(embeddings, 1000)) < 10
    assert len(sample_triplets(embeddings, 1000, sampling="random")) == 12


def test_what_the_embedder_would_choose():
    embeddings = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0]])
    triplets = [Triplet(0, 1, 2), Triplet(0, 2, 1)]
    assert embedder_choices(embeddings, triplets).tolist() == [1, 2]
    assert margins(embeddings, triplets)[0] == pytest.approx(2 / np.hypot(2, 0.1))
    assert margins(embeddings, []).shape == (0,)


def test_clusters_are_numbered_without_gaps():
    soft = cluster_softly(blobs())
    assert isinstance(soft, SoftClusters)
    assert np.bincount(soft.labels).min() > 0
