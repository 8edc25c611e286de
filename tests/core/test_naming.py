"""What marks a cluster, and what it is called."""

import numpy as np
import pytest

from esmc_core.naming import (
    DominantToken,
    cluster_names,
    dominant_tokens,
    mean_tokens,
    top_token_texts,
    top_tokens,
)
from tests.tiny_lens import VOCABULARY, distributions_of, token_texts


def named(*clusters):
    """Names of clusters given as lists of (text, weight)."""
    return cluster_names(
        [
            [DominantToken(0, text, 0.1, weight, 0.5) for text, weight in tokens]
            for tokens in clusters
        ]
    )


def test_probability_weight_and_share_of_a_case_computed_by_hand():
    rows = [{"▁red": 0.5, "▁car": 0.2}, {"▁red": 0.1, "Red": 0.2, "▁car": 0.4}, {"▁black": 0.6}]
    found = dominant_tokens(distributions_of(rows), np.array([0, 0, 1]), token_texts)
    red = found[0][0]
    mean = (0.5 + 1e-4 + 1e-4 + 0.1 + 0.2 + 1e-4) / 2
    overall = (2 * mean + 3e-4) / 3
    assert red.text == "red"
    assert red.probability == pytest.approx(mean, rel=1e-5)
    assert red.weight == pytest.approx(mean * np.log(mean / overall), rel=1e-4)
    assert red.share == 0.5
    assert found[1][0].text == "black"


def test_what_all_images_say_marks_no_cluster():
    """Without the lift both clusters would be called "car"."""
    rows = [{"▁car": 0.6, "▁red": 0.2}] * 3 + [{"▁car": 0.6, "▁black": 0.2}] * 3
    found = dominant_tokens(distributions_of(rows), np.repeat([0, 1], 3), token_texts)
    assert [tokens[0].text for tokens in found] == ["red", "black"]
    assert "car" not in [shown.text for tokens in found for shown in tokens]


def test_one_cluster_shows_what_is_most_probable():
    found = dominant_tokens(
        distributions_of([{"▁car": 0.6, "▁red": 0.2}] * 3), np.zeros(3, dtype=int), token_texts
    )
    assert [shown.text for shown in found[0][:2]] == ["car", "red"]
    assert cluster_names(found) == ["car"]


def test_punctuation_and_control_tokens_come_last():
    rows = [{".": 0.5, "<s>": 0.3, "▁red": 0.05}] * 2 + [{"▁black": 0.5}] * 2
    found = dominant_tokens(distributions_of(rows), np.array([0, 0, 1, 1]), token_texts)
    assert [(shown.text, shown.is_word) for shown in found[0]] == [
        ("red", True),
        (".", False),
        ("<s>", False),
    ]


def test_a_piece_of_a_word_is_shown_as_one():
    rows = [{"ish": 0.5}] * 2 + [{"red": 0.5, "▁red": 0.1}] * 2
    found = dominant_tokens(distributions_of(rows), np.array([0, 0, 1, 1]), token_texts)
    # "red" is a piece too, but its whole form occurs beside it.
    assert [tokens[0].text for tokens in found] == ["…ish", "red"]


def test_the_likeliest_variant_is_shown():
    rows = [{"Red": 0.4, "▁red": 0.2}, {"▁black": 0.5}]
    found = dominant_tokens(distributions_of(rows), np.array([0, 1]), token_texts)
    assert found[0][0].text == "Red"


def test_the_number_of_tokens_is_kept_to_and_an_empty_cluster_has_none():
    rows = [{"▁red": 0.2, "▁maroon": 0.2, "▁car": 0.2}, {"▁black": 0.5}]
    found = dominant_tokens(distributions_of(rows), np.array([0, 2]), token_texts, n_tokens=2)
    assert [len(tokens) for tokens in found] == [2, 0, 1]


def test_each_cluster_is_named_by_its_top_token():
    assert named([("red", 0.5)], [("black", 0.4)]) == ["red", "black"]


def test_a_shared_word_goes_to_the_heavier_cluster_and_the_other_takes_its_next():
    assert named([("red", 0.3), ("maroon", 0.2)], [("Red", 0.5)]) == ["maroon", "Red"]


def test_a_word_that_names_another_cluster_is_no_alternative():
    assert named([("red", 0.5)], [("red", 0.4), ("black", 0.3)], [("black", 0.2)]) == [
        "red",
        "red 2",
        "black",
    ]


def test_a_word_of_no_weight_is_no_alternative():
    assert named([("red", 0.5)], [("red", 0.4), ("the", 0.01)], [("red", 0.3)]) == [
        "red",
        "red 2",
        "red 3",
    ]


def test_a_cluster_without_words_is_numbered():
    dots = [DominantToken(0, ".", 0.5, 0.3, 1.0, is_word=False)]
    assert cluster_names([[DominantToken(1, "red", 0.5, 0.3, 1.0)], [], dots]) == [
        "red",
        "cluster 2",
        "cluster 3",
    ]


def test_top_tokens_of_an_image_as_text():
    rows = distributions_of([{"▁red": 0.5, "Red": 0.3, "▁maroon": 0.07}])
    assert top_token_texts(rows, token_texts, n_tokens=2) == ["red 0.80; maroon 0.07"]


def test_top_tokens_of_each_image():
    rows = distributions_of([{"▁red": 0.5, "Red": 0.3}, {"▁black": 0.6}])
    found = top_tokens(rows, token_texts, n_tokens=1)
    assert [[text for text, _ in row] for row in found] == [["red"], ["black"]]
    assert found[0][0][1] == pytest.approx(0.8001)


def test_mean_tokens_over_all_images():
    rows = distributions_of([{"▁red": 0.5, "Red": 0.1}, {"▁black": 0.4, "▁red": 0.2}])
    found = mean_tokens(rows, token_texts, n_tokens=2)
    assert [text for text, _ in found] == ["red", "black"]
    assert [share for _, share in found] == pytest.approx([0.4, 0.2], abs=1e-3)


def test_naming_leaves_the_distributions_alone():
    """The mean once sorted the tokens in place, and every image's best token was another."""
    rows = distributions_of([{"▁white": 0.5}, {"▁red": 0.5}])
    before = rows.tokens.copy()
    dominant_tokens(rows, np.array([0, 1]), token_texts)
    np.testing.assert_array_equal(rows.tokens, before)
    assert VOCABULARY[before[0, 0]] == "▁white"
