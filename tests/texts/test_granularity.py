"""The hierarchy, pairs along it, and the number of clusters that agrees with the answers."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, fbeta_score

from esmc_core.errors import InputError
from esmc_core.texts import hierarchy as hierarchy_module
from esmc_core.texts.granularity import (
    BETA,
    Pair,
    granularity_curve,
    pair_questions,
    sample_pairs,
    suggest_examples,
)
from esmc_core.texts.hierarchy import build_hierarchy
from tests.texts.test_triplets import blobs


@pytest.fixture(scope="module")
def hierarchy():
    return build_hierarchy(blobs())


TRUTH = np.repeat(np.arange(6), 40)


@pytest.mark.parametrize("n_clusters", [1, 2, 6, 50, 240])
def test_partitions_are_those_of_scikit_learn(hierarchy, n_clusters):
    expected = AgglomerativeClustering(n_clusters=n_clusters).fit_predict(blobs())
    found = hierarchy.labels(n_clusters)
    assert found.max() + 1 == n_clusters
    assert adjusted_rand_score(expected, found) == 1


def test_a_step_merges_two_clusters_of_its_partition(hierarchy):
    for step in (2, 7, 240):
        first, second = hierarchy.merged_at(step)
        before, after = hierarchy.labels(step), hierarchy.labels(step - 1)
        assert len({*before[first]}) == len({*before[second]}) == 1
        assert before[first[0]] != before[second[0]]
        assert after[first[0]] == after[second[0]]


def test_large_sets_go_through_kmeans(monkeypatch):
    monkeypatch.setattr(hierarchy_module, "_AGGLOMERATIVE_TEXTS", 100)
    found = build_hierarchy(blobs(n_each=60))
    assert found.n_leaves <= 200 and len(found.leaves) == 360
    assert adjusted_rand_score(found.labels(6), np.repeat(np.arange(6), 60)) > 0.9


def test_a_pair_of_each_step_in_each_round(hierarchy):
    pairs = sample_pairs(hierarchy, rounds=2)
    assert [pair.n_clusters for pair in pairs[:199]] == list(range(2, 201))
    assert len({frozenset((p.first, p.second)) for p in pairs}) == len(pairs) > 300
    for pair in pairs[::20]:
        first, second = hierarchy.merged_at(pair.n_clusters)
        assert pair.first in first and pair.second in second
    assert sample_pairs(hierarchy, rounds=2) == pairs != sample_pairs(hierarchy, rounds=2, seed=1)


def test_f_beta_is_scikit_learns(hierarchy):
    pairs = sample_pairs(hierarchy)
    answers = [int(TRUTH[p.first] == TRUTH[p.second]) for p in pairs]
    curve = granularity_curve(hierarchy, pairs, answers)
    assert curve.n_clusters.tolist() == list(range(2, 201))
    for count in (3, 6, 80):
        labels = hierarchy.labels(count)
        together = [labels[p.first] == labels[p.second] for p in pairs]
        expected = fbeta_score(answers, together, beta=BETA)
        assert curve.f_beta[count - 2] == pytest.approx(expected)


def test_right_answers_give_the_right_number(hierarchy):
    pairs = sample_pairs(hierarchy)
    answers = [int(TRUTH[p.first] == TRUTH[p.second]) for p in pairs]
    assert granularity_curve(hierarchy, pairs, answers).best == 6


def test_missing_answers_are_left_out(hierarchy):
    pairs = sample_pairs(hierarchy)
    answers = [int(TRUTH[p.first] == TRUTH[p.second]) for p in pairs]
    some = [answer if i % 2 else None for i, answer in enumerate(answers)]
    curve = granularity_curve(hierarchy, pairs, some)
    assert curve.n_answers == len(pairs) // 2 and 5 <= curve.best <= 7
    with pytest.raises(InputError, match="No pair has been answered"):
        granularity_curve(hierarchy, pairs, [None] * len(pairs))
    with pytest.raises(InputError, match="do not fit"):
        granularity_curve(hierarchy, pairs, [1])


def test_nothing_together_is_zero_not_a_crash(hierarchy):
    curve = granularity_curve(hierarchy, [Pair(0, 200, 2)], [0])
    assert not curve.f_beta.any() and 2 <= curve.best <= 200


def test_worked_examples_to_start_from(hierarchy):
    texts = [f"text {i}" for i in range(240)]
    examples = suggest_examples(texts, hierarchy)
    assert [example.together for example in examples] == [True, True, False, False]
    questions = pair_questions(texts, sample_pairs(hierarchy)[:2], "topic", examples)
    assert questions[0].examples == tuple(examples) and questions[0].perspective == "topic"


def test_two_texts_are_the_least():
    assert build_hierarchy(np.eye(2)).n_leaves == 2
    with pytest.raises(InputError, match="One text"):
        build_hierarchy(np.eye(1))
