"""What an answer in words means, and what a question costs."""

import pytest

from esmc_core.errors import InputError
from esmc_core.texts.questions import (
    MAX_SHOWN,
    Example,
    PairQuestion,
    TripletQuestion,
    check_perspective,
    count_tokens,
    is_bare,
    parse_choice,
    parse_yes_no,
)
from esmc_core.texts.spend import Prices, estimate, estimate_person

TRIPLET = TripletQuestion("where is\nmy card", "card arrival", "lost card", "intent")


@pytest.mark.parametrize(
    ("answer", "choice"),
    [
        ("Choice 1", 1),
        ("choice 2.", 2),
        ("**Choice 2**", 2),
        ("2", 2),
        (" (1) ", 1),
        ("Answer: Choice 1", 1),
        ("The answer is choice 2.", 2),
        ("Neither", 0),
        ("0", 0),
        ("None of them.", 0),
        ("Both correspond equally.", 0),
        ("Well, I would say the answer is Neither.", 0),
        ("The answer is neither choice 1 nor choice 2.", 0),
        ("Choice 1 is about cards, choice 2 about money. Therefore, choice 2.", 2),
        ("Choice 1 is about cards and choice 2 about money.\n\nChoice 1", 1),
        ("I think that option 2 is the better one.", 2),
        ("<think>Choice 1? No, choice 2.</think>\nChoice 1", 1),
        ("<think>Choice 1 could", None),
        ("Choice 1 and choice 2 are about cards.", None),
        ("", None),
        ("As a language model, I like 3 things.", None),
        ("Choice 3", None),
    ],
)
def test_choices_in_words(answer, choice):
    assert parse_choice(answer) == choice


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Yes", 1),
        ("no.", 0),
        ("Yes. Because no fee is asked.", 1),
        ("Answer: No", 0),
        ("I think yes", 1),
        ("It could be yes or no", None),
        ("", None),
        ("Perhaps", None),
    ],
)
def test_yes_and_no_in_words(answer, said):
    assert parse_yes_no(answer) == said


def test_the_question_holds_the_users_perspective_and_the_texts_in_a_line_each():
    prompt = TRIPLET.prompt()
    assert "in terms of intent." in prompt
    assert "Query: where is my card\nChoice 1: card arrival\nChoice 2: lost card\n" in prompt


def test_worked_examples_stand_before_a_pair():
    examples = (
        Example("a", "b", together=True, reason="Both ask for a card."),
        Example("c", "d", together=False),
    )
    prompt = PairQuestion("x", "y", "topic", examples).prompt()
    assert prompt.startswith("[Example 1]\nText 1: a\nText 2: b\nYes. Both ask for a card.\n\n")
    assert "Text 2: d\nNo.\n\nDo the two texts below have the same topic?" in prompt


def test_long_texts_are_cut():
    question = TripletQuestion("x" * 10_000, "a", "b", "intent")
    assert len(question.prompt()) < MAX_SHOWN + 400


def test_talk_is_not_bare():
    assert is_bare(TRIPLET, "Choice 1.") and is_bare(TRIPLET, "neither")
    assert not is_bare(TRIPLET, "I would say Choice 1")


def test_tokens_by_length():
    assert count_tokens("") == 1
    assert count_tokens("four letters each") == 4
    assert count_tokens("漢字") == 2


def test_the_estimate_adds_up():
    found = estimate([TRIPLET] * 8, prices=Prices(1.0, 10.0), concurrency=2, seconds_a_request=3)
    assert found.n_questions == 8
    assert found.prompt_tokens == 8 * count_tokens(TRIPLET.prompt())
    assert found.money == pytest.approx((found.prompt_tokens + 10 * found.completion_tokens) / 1e6)
    assert found.seconds == 12
    assert estimate_person([TRIPLET] * 10).seconds == 60


def test_a_perspective_is_some_words():
    assert check_perspective("  user\n intent ") == "user intent"
    for words in ("", "  ", "x" * 201):
        with pytest.raises(InputError):
            check_perspective(words)
