"""What a cluster's texts say that the others do not, and a name of it."""

import numpy as np
import pytest

from esmc_core.texts.terms import distinctive_terms, term_names, words_of

TEXTS = [
    "what is the exchange rate today",
    "the exchange rate for euros",
    "my card was lost",
    "I lost my card and my phone",
    "the card is lost",
]
LABELS = np.array([0, 0, 1, 1, 1])


def test_terms_by_hand():
    """W = tf / terms of the cluster · log(1 + mean terms of a cluster / tf in all)."""
    terms = distinctive_terms(TEXTS, LABELS)
    assert terms[0][0].text == "exchange rate"
    assert {token.text for token in terms[1][:2]} == {"card", "lost"}
    # exchange, rate, today, exchange rate, rate today; exchange, rate, euros, exchange rate
    # card, lost; lost, card, phone; card, lost
    lengths = [9, 7]
    card = next(token for token in terms[1] if token.text == "card")
    assert card.probability == card.share == 1
    found = {token.text for token in terms[0]}
    assert "exchange" not in found, "it says nothing beside “exchange rate”"
    assert card.weight == pytest.approx(3 / lengths[1] * np.log1p(np.mean(lengths) / 3))


def test_names_are_short_and_different():
    names = term_names(distinctive_terms(TEXTS, LABELS))
    assert names[0].startswith("exchange rate") and len(set(names)) == 2
    same = distinctive_terms(["lost card"] * 4, np.array([0, 0, 1, 1]))
    assert len(set(term_names(same))) == 2


def test_texts_without_a_word():
    terms = distinctive_terms(["…", "!!!"], np.array([0, 1]))
    assert terms == [[], []] and term_names(terms) == ["cluster 1", "cluster 2"]
    assert distinctive_terms(["the", "of"], np.array([0, 1])) == [[], []]


def test_words_of_scripts_without_blanks():
    assert words_of("Don't PANIC, 42!") == ["don't", "panic", "42"]
    assert words_of("我的卡在哪里") == ["我的", "的卡", "卡在", "在哪", "哪里"]


def test_an_empty_cluster_has_no_terms():
    terms = distinctive_terms(TEXTS, LABELS * 2)
    assert terms[1] == [] and terms[2]
