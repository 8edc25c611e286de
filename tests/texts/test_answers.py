"""Answers are kept at once, by question and judge; each question is claimed before it is sent."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from esmc_core.errors import InputError, StoreError
from esmc_core.texts.answers import PERSON, Answer, AnswerStore, merged
from esmc_core.texts.judging import answer_in_person, next_in_person, tally, to_review
from esmc_core.texts.questions import Example, PairQuestion, TripletQuestion
from esmc_core.texts.spend import Prices

QUESTIONS = [TripletQuestion(f"query {i}", "a", "b", "intent") for i in range(4)]


@pytest.fixture
def store(tmp_path):
    store = AnswerStore(tmp_path / "answers.sqlite3")
    yield store
    store.close()


def test_an_answer_is_found_again_by_another_process(store):
    store.save(QUESTIONS[0], "llm", Answer("answered", 2, True, "", 3, 10, 4))
    again = AnswerStore(store.path)
    assert again.find(QUESTIONS[:2], "llm") == [Answer("answered", 2, True, "", 3, 10, 4), None]
    assert again.find(QUESTIONS[:1], "other") == [None]
    again.close()


def test_the_other_order_of_the_choices_is_the_same_question(store):
    asked = TripletQuestion("q", "a", "b", "Intent")
    turned = TripletQuestion(" q ", "b", "a", "intent")
    store.save(asked, "llm", Answer("answered", 1))
    assert store.find([turned], "llm") == [Answer("answered", 2)]
    assert not store.claim(turned, "llm", run="r")


def test_questions_differ_by_texts_perspective_kind_and_examples():
    pair = PairQuestion("a", "b", "intent")
    examples = (Example("x", "y", together=True),)
    keys = {
        TripletQuestion("q", "a", "b", "intent").key,
        TripletQuestion("a", "q", "b", "intent").key,
        TripletQuestion("q", "a", "b", "topic").key,
        pair.key,
        PairQuestion("a", "b", "intent", examples).key,
    }
    assert len(keys) == 5
    assert PairQuestion("b", "a", "intent").key == pair.key


def test_only_one_of_many_claims_a_question(store):
    stores = [AnswerStore(store.path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda s: s.claim(QUESTIONS[0], "llm", run="r"), stores))
    assert sum(claims) == 1
    for other in stores:
        other.close()


def test_a_released_claim_may_be_made_again(store):
    assert store.claim(QUESTIONS[0], "llm", run="r")
    store.release(QUESTIONS[0], "llm")
    assert store.claim(QUESTIONS[0], "llm", run="r")
    store.save(QUESTIONS[0], "llm", Answer("answered", 1))
    store.release(QUESTIONS[0], "llm")
    assert not store.claim(QUESTIONS[0], "llm", run="r")


def test_interrupted_questions_are_asked_again_at_the_users_word_only(store):
    for question in QUESTIONS[:3]:
        store.claim(question, "llm", run="dead")
    store.save(QUESTIONS[0], "llm", Answer("answered", 1))
    store.claim(QUESTIONS[3], "llm", run="alive")
    assert store.release_unusable(QUESTIONS, "llm", run="alive") == 2
    assert [a and a.state for a in store.find(QUESTIONS, "llm")] == [
        "answered",
        None,
        None,
        "claimed",
    ]


def test_what_has_no_answer_that_says_anything_is_asked_again_at_the_users_word(store):
    for question, reason in zip(QUESTIONS, ("neither", "nonsense", "no answer"), strict=False):
        store.save(question, "llm", Answer("dropped", reason=reason))
    counts = tally(QUESTIONS, store.find(QUESTIONS, "llm"))
    assert (counts.dropped, counts.unusable) == (3, 2)
    assert store.release_unusable(QUESTIONS, "llm") == 2
    assert [a and a.reason for a in store.find(QUESTIONS, "llm")] == ["neither", None, None, None]


def test_the_person_answers_in_turn_undoes_and_goes_on(store):
    assert next_in_person(QUESTIONS, store) == 0
    assert next_in_person(QUESTIONS, store, order=[2, 1]) == 2
    for question, choice in zip(QUESTIONS, (1, 0, 2), strict=False):
        answer_in_person(store, question, choice)
    counts = tally(QUESTIONS, store.find(QUESTIONS, PERSON), counts_waiting=False)
    assert (counts.answered, counts.dropped, counts.remaining) == (2, 1, 1)
    assert store.undo(QUESTIONS) == QUESTIONS[2]
    answer_in_person(store, QUESTIONS[0], 2)
    assert store.undo(QUESTIONS) == QUESTIONS[0], "the latest answer, not the latest question"
    assert store.undo(QUESTIONS) == QUESTIONS[1]
    assert store.undo(QUESTIONS) is None
    with pytest.raises(InputError):
        answer_in_person(store, QUESTIONS[0], 3)


def test_counts_and_spend(store):
    store.save(QUESTIONS[0], "llm", Answer("answered", 1, True, "", 1, 1000, 10))
    store.save(QUESTIONS[1], "llm", Answer("answered", 2, True, "", 2, 1000, 10))
    store.save(QUESTIONS[2], "llm", Answer("dropped", None, True, "neither", 1, 1000, 10))
    counts = tally(
        QUESTIONS,
        store.find(QUESTIONS, "llm"),
        embedder_choices=[1, 1, 1, 1],
        prices=Prices(2.0, 100.0),
    )
    assert (counts.answered, counts.dropped, counts.remaining, counts.requests) == (2, 1, 1, 4)
    assert counts.agreement == 0.5
    assert counts.money == pytest.approx(3000 * 2e-6 + 30 * 100e-6)


def test_a_person_checks_where_the_judge_was_unsure_or_alone():
    answers = [
        Answer("answered", 1),
        Answer("answered", 2),
        Answer("answered", 1, is_sure=False),
        Answer("dropped", reason="neither"),
        Answer("claimed"),
        None,
    ]
    assert to_review(answers, [1] * 6) == [2, 3, 1]
    person = [None, Answer("answered", 1), *[None] * 4]
    assert [answer.choice for answer in merged(answers, person)[:2]] == [1, 1]


def test_a_damaged_or_newer_file_says_so(tmp_path):
    path = tmp_path / "answers.sqlite3"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        AnswerStore(path).find(QUESTIONS, "llm")
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99"):
        AnswerStore(path).find(QUESTIONS, "llm")


def test_no_text_stands_in_the_file(store):
    store.save(TripletQuestion("my secret", "a", "b", "intent"), "llm", Answer("answered", 1))
    store.close()
    assert b"secret" not in store.path.read_bytes()
