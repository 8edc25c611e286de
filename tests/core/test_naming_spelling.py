"""Spelling variants are one word; synonyms are not."""

import numpy as np
import pytest

from esmc_core.spelling import canonical_text, is_special, merge_columns, plain_text, starts_word
from tests.tiny_lens import VOCABULARY, distributions_of, token_texts


@pytest.mark.parametrize("text", ["▁Red", "red", "RED", "Ġred", " red", "▁red", "##red"])
def test_markers_and_case_do_not_count(text):
    assert canonical_text(text) == "red"


@pytest.mark.parametrize(
    ("one", "other"),
    [("▁grey", "Gray"), ("colour", "▁color"), ("cafe\N{COMBINING ACUTE ACCENT}", "▁café")],
)
def test_two_spellings_of_a_word_are_one(one, other):
    assert canonical_text(one) == canonical_text(other)


@pytest.mark.parametrize(("one", "other"), [("gray", "silver"), ("red", "maroon"), ("car", "cars")])
def test_synonyms_stay_two(one, other):
    assert canonical_text(one) != canonical_text(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ĠcafÃ©", "café"), ("▁café", "café"), ("café", "café"), ("Ċ", ""), ("Ġçº¢èī²", "红色")],
)
def test_byte_level_pieces_are_read_and_others_left_alone(text, expected):
    assert plain_text(text) == expected


@pytest.mark.parametrize(
    "text", ["<s>", "</s>", "<0x0A>", "<|im_end|>", "[PAD]", "", "▁", "Ġ", "Ċ"]
)
def test_what_is_no_text_is_special(text):
    assert is_special(text)


@pytest.mark.parametrize("text", ["▁red", "<", ".", "s", "[", "1"])
def test_what_is_text_is_not_special(text):
    assert not is_special(text)


def test_a_control_token_is_never_merged_with_a_word():
    assert canonical_text("<s>") != canonical_text("s")


def test_markers_tell_where_words_start():
    assert [starts_word(text) for text in ("▁a", "Ġa", " a", "a")] == [True, True, True, False]


def test_merging_adds_up_variants_and_keeps_the_likeliest_id():
    merged = merge_columns(
        distributions_of([{"▁red": 0.1, "Red": 0.3, "▁grey": 0.25}, {"▁gray": 0.5, "red": 0.05}]),
        token_texts,
    )
    ids = {text: VOCABULARY.index(text) for text in VOCABULARY}
    table = merged.to_csr().toarray()
    assert table[0, ids["Red"]] == pytest.approx(0.4001)
    assert table[0, ids["▁gray"]] == pytest.approx(0.2501)
    assert table[1, ids["▁gray"]] == pytest.approx(0.5001)
    assert not table[:, [ids["▁red"], ids["red"], ids["▁grey"]]].any()


def test_merging_keeps_shape_order_and_total():
    before = distributions_of([{"▁red": 0.3, "Red": 0.3, "▁black": 0.35}])
    after = merge_columns(before, token_texts)
    assert after.tokens.shape == before.tokens.shape
    assert VOCABULARY[after.tokens[0, 0]] in ("▁red", "Red")
    assert (np.diff(after.probabilities) <= 0).all()
    np.testing.assert_allclose(after.probabilities.sum(), before.probabilities.sum(), rtol=1e-6)
    np.testing.assert_allclose(after.tail, before.tail, atol=1e-6)


def test_merging_twice_changes_nothing():
    once = merge_columns(distributions_of([{"▁red": 0.3, "Red": 0.2}]), token_texts)
    twice = merge_columns(once, token_texts)
    np.testing.assert_array_equal(once.to_csr().toarray(), twice.to_csr().toarray())
