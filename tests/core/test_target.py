"""Heatmap scores against hand-computed values, and the suggestion's rule."""

import numpy as np
import pytest

from esmc_core.distributions import Distributions
from esmc_core.lens_store import LensStore, PassSpec
from esmc_core.target import (
    candidate_positions,
    confidence,
    information,
    keyword_probabilities,
    keyword_votes,
    lens_keywords,
    make_heatmap,
    suggest_cell,
)


def rows(tokens, probabilities, n_vocab=10):
    return Distributions(np.array(tokens, np.int32), np.array(probabilities, np.float32), n_vocab)


def test_information_of_two_certain_and_different_answers_is_one_bit():
    assert information(rows([[1], [2]], [[1.0], [1.0]])) == pytest.approx(1.0)


def test_information_is_zero_when_all_say_the_same():
    assert information(rows([[1, 2], [2, 1]], [[0.5, 0.5], [0.5, 0.5]])) == pytest.approx(0.0)
    assert information(rows([[3]] * 5, [[0.2]] * 5)) == pytest.approx(0.0, abs=1e-6)


def test_information_counts_the_tail_as_a_symbol():
    # H(mean) - mean H with p = (0.5 | tail 0.5) and (0 | tail 1): H(.25) - .5
    value = information(rows([[1], [1]], [[0.5], [0.0]]))
    assert value == pytest.approx(0.811278 - 0.5, abs=1e-5)


def test_confidence_and_keyword_probabilities():
    cell = rows([[1, 2], [2, 3]], [[0.6, 0.3], [0.8, 0.1]])
    assert confidence(cell) == pytest.approx(0.7)
    assert keyword_probabilities(cell, [2, 3, 9]) == pytest.approx([0.55, 0.05, 0.0])


def test_keyword_votes_count_keywords_that_are_high_and_near_the_top():
    means = np.array([[[0.9, 0.1], [0.3, 0.25]], [[0.1, 0.1], [0.5, 0.1]]])
    assert keyword_votes(means, top_k=2).tolist() == [[1, 0], [2, 0]]


def test_keywords_of_the_lens_are_the_tokens_that_tell_images_apart():
    cell = rows(
        [[7, 1, 4], [7, 2, 4], [7, 1, 5]], [[0.5, 0.4, 0.02], [0.5, 0.4, 0.02], [0.5, 0.4, 0.02]]
    )
    assert set(lens_keywords(cell, n_keywords=2)) == {1, 2}


def test_candidates_are_content_words_and_everything_after_the_last():
    texts = ["▁the", "▁color", "▁of", "▁the", "▁car", "▁is", "▁A", "SS", ":"]
    assert candidate_positions(texts, n_criterion=6) == [1, 4, 5, 6, 7, 8]
    texts = ["Ġwhat", "Ġis", "Ġit", ":"]
    assert candidate_positions(texts, n_criterion=3) == [0, 1, 2, 3]


def test_the_suggestion_takes_the_later_position_at_near_equal_scores():
    values = np.array([[0.0, 0.0, 0.0], [1.0, 0.2, 0.95], [0.9, 0.3, 0.94]])
    assert suggest_cell(values, [0, 1, 2]) == (1, 2)
    assert suggest_cell(values, [0, 1]) == (1, 0)
    values[1, 2] = values[2, 2] = 0.5
    assert suggest_cell(values, [0, 1, 2]) == (1, 0)


@pytest.fixture
def store(tmp_path):
    spec = PassSpec("c", "m", "f", "color is", "norm", 4, 1, 10, 2, (5, 6), ("color", "is"), 2, 2)
    return LensStore.create(tmp_path, spec, [])


def test_a_heatmap_uses_only_finished_images(store):
    tokens = np.zeros((2, 2, 4, 2), np.int32)
    tokens[1, 1] = [[1, 2], [3, 4], [1, 2], [3, 4]]
    tokens[..., 1] += 5
    probabilities = np.full((2, 2, 4, 2), [0.9, 0.1])
    nothing = make_heatmap(store)
    assert nothing.n_images == 0 and nothing.is_flat
    store.write(np.array([0, 1]), tokens[:, :, :2], probabilities[:, :, :2])
    heatmap = make_heatmap(store)
    assert heatmap.n_images == 2
    assert heatmap.suggested == (1, 1)
    assert not heatmap.is_flat
    assert heatmap.values[1, 1] == pytest.approx(1.0, abs=1e-3)
    assert heatmap.values[0, 0] == pytest.approx(0.0)
    by_keyword = make_heatmap(store, score="keywords", keyword_tokens=[1, 3])
    assert by_keyword.suggested == (1, 1)
    assert by_keyword.values[1, 1] == pytest.approx(0.45, abs=1e-3)
    np.testing.assert_array_equal(by_keyword.bits, heatmap.values)
    assert make_heatmap(store, score="confidence").values[0, 0] == pytest.approx(0.9, abs=1e-3)
