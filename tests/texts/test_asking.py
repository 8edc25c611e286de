"""A simulated judge on this machine is asked, and does to us what endpoints do."""

import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from esmc_core.keywords import Endpoint, EndpointError
from esmc_core.texts.answers import AnswerStore
from esmc_core.texts.asking import AskSettings, Controls, ask_all
from esmc_core.texts.chat import Chat, judge_name
from esmc_core.texts.judging import tally
from esmc_core.texts.questions import PairQuestion, TripletQuestion, count_tokens
from esmc_core.texts.simulated import LabelOracle, SimulatedJudge
from esmc_core.texts.spend import COMPLETION_TOKENS, Prices

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-secret-0123456789"
LABELS = {f"text {i}": "even" if i % 2 == 0 else "odd" for i in range(60)}
QUESTIONS = [TripletQuestion(f"text {i}", "text 50", "text 51", "parity") for i in range(40)]
QUICK = AskSettings(first_wait_s=0.01)


@pytest.fixture
def store(tmp_path):
    store = AnswerStore(tmp_path / "answers.sqlite3")
    yield store
    store.close()


@pytest.fixture
def judge():
    with SimulatedJudge(LabelOracle(LABELS)) as judge:
        yield judge


@pytest.fixture
def chat(judge):
    chat = Chat(judge.endpoint(KEY), timeout_s=0.5)
    yield chat
    chat.close()


def choices(store, questions=QUESTIONS, name="llm"):
    return [answer and answer.choice for answer in store.find(questions, name)]


RIGHT = [1 if i % 2 == 0 else 2 for i in range(40)]


def test_all_are_asked_once_and_answered(judge, chat, store):
    seen = []
    outcome = ask_all(
        QUESTIONS, chat, "llm", store, settings=QUICK, progress=lambda *done: seen.append(done)
    )
    assert (outcome.ending, outcome.asked, outcome.unanswered) == ("done", 40, 0)
    assert choices(store) == RIGHT
    assert seen[-1] == (40, 40)
    assert ask_all(QUESTIONS, chat, "llm", store).asked == 0
    assert set(judge.requests.values()) == {1} and len(judge.requests) == 40
    counts = tally(QUESTIONS, store.find(QUESTIONS, "llm"))
    assert counts.prompt_tokens == sum(count_tokens(q.prompt()) for q in QUESTIONS)


def test_the_judge_says_neither_where_the_labels_do_not_decide(chat, store):
    questions = [
        TripletQuestion("text 1", "text 2", "text 4", "parity"),
        TripletQuestion("text 2", "text 4", "text 6", "parity"),
        PairQuestion("text 1", "text 3", "parity"),
        PairQuestion("text 1", "text 2", "parity"),
    ]
    ask_all(questions, chat, "llm", store)
    answers = store.find(questions, "llm")
    assert [(a.state, a.choice, a.reason) for a in answers] == [
        ("dropped", None, "neither"),
        ("dropped", None, "neither"),
        ("answered", 1, ""),
        ("answered", 0, ""),
    ]


@pytest.mark.parametrize("accuracy", [0.9, 0.75])
def test_the_accuracy_is_what_was_set_and_the_order_of_choices_does_not_matter(accuracy):
    labels = {f"text {i}": str(i % 2) for i in range(4000)}
    oracle = LabelOracle(labels, accuracy=accuracy)
    right = 0
    for i in range(4000):
        asked = TripletQuestion(f"text {i}", "text 0", "text 1", "parity")
        turned = TripletQuestion(f"text {i}", "text 1", "text 0", "parity")
        answer, other = oracle.answer(asked.prompt()), oracle.answer(turned.prompt())
        assert {answer, other} == {"Choice 1", "Choice 2"}
        right += answer == ("Choice 1" if i % 2 == 0 else "Choice 2")
    assert abs(right / 4000 - accuracy) < 0.025


@pytest.mark.parametrize("fault", ["429", "500", "timeout", "empty", "nonsense", "cut", "no json"])
def test_a_fault_that_passes_is_overcome(judge, chat, store, fault):
    judge.misbehave(fault)
    outcome = ask_all(QUESTIONS[:3], chat, "llm", store, settings=QUICK)
    assert (outcome.unanswered, choices(store)[:3]) == (0, RIGHT[:3])
    assert sum(judge.requests.values()) == 4


def test_chatty_answers_are_understood_and_count_as_unsure(judge, chat, store):
    judge.misbehave("chatty", times=2)
    ask_all(QUESTIONS[:3], chat, "llm", store, settings=AskSettings(concurrency=1))
    answers = store.find(QUESTIONS[:3], "llm")
    assert [(a.choice, a.is_sure) for a in answers] == [(1, False), (2, False), (1, True)]


def test_nonsense_is_dropped_paid_and_never_asked_again(judge, chat, store):
    judge.misbehave("nonsense", times=2)
    ask_all(QUESTIONS[:1], chat, "llm", store, settings=QUICK)
    (answer,) = store.find(QUESTIONS[:1], "llm")
    assert (answer.state, answer.reason, answer.requests) == ("dropped", "nonsense", 2)
    assert answer.prompt_tokens == 2 * count_tokens(QUESTIONS[0].prompt())
    ask_all(QUESTIONS[:1], chat, "llm", store, settings=QUICK)
    assert sum(judge.requests.values()) == 2


def test_time_outs_may_have_been_paid_and_are_not_asked_again(judge, chat, store):
    judge.misbehave("timeout", times=2)
    settings = AskSettings(first_wait_s=0.01, max_requests=2)
    assert ask_all(QUESTIONS[:1], chat, "llm", store, settings=settings).unanswered == 0
    (answer,) = store.find(QUESTIONS[:1], "llm")
    assert (answer.state, answer.reason) == ("dropped", "no answer")
    assert answer.prompt_tokens == 2 * count_tokens(QUESTIONS[0].prompt())


def test_what_was_surely_not_answered_is_asked_by_the_next_run(judge, chat, store):
    judge.misbehave("500", times=2)
    settings = AskSettings(first_wait_s=0.01, max_requests=2)
    assert ask_all(QUESTIONS[:1], chat, "llm", store, settings=settings).unanswered == 1
    assert store.find(QUESTIONS[:1], "llm") == [None]
    ask_all(QUESTIONS[:1], chat, "llm", store, settings=settings)
    assert choices(store)[:1] == RIGHT[:1]


def test_retry_after_holds_all_threads_back(judge, chat, store):
    judge.misbehave("429", retry_after_s=0.6)
    started = time.monotonic()
    ask_all(QUESTIONS[:8], chat, "llm", store, settings=AskSettings(concurrency=2))
    assert time.monotonic() - started > 0.6
    assert choices(store)[:8] == RIGHT[:8]


@pytest.mark.parametrize("fault", ["500", "400"])
def test_an_endpoint_that_answers_nothing_ends_the_run(judge, chat, store, fault):
    judge.misbehave(fault, times=1000)
    settings = AskSettings(first_wait_s=0.001, max_requests=2)
    with pytest.raises(EndpointError, match=f"8 questions in a row.*status {fault}"):
        ask_all(QUESTIONS, chat, "llm", store, settings=settings)
    assert choices(store) == [None] * 40


def test_nobody_listens(store):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    chat = Chat(Endpoint(url, "m", KEY))
    with pytest.raises(EndpointError, match="connection broke"):
        ask_all(QUESTIONS, chat, "llm", store, settings=AskSettings(4, 1, first_wait_s=0.01))
    chat.close()
    assert store.find(QUESTIONS, "llm") == [None] * 40


def test_the_budget_in_questions_is_of_the_queue(judge, chat, store):
    settings = AskSettings(max_questions=10)
    assert ask_all(QUESTIONS, chat, "llm", store, settings=settings).ending == "budget"
    assert ask_all(QUESTIONS, chat, "llm", store, settings=settings).asked == 0
    assert sum(judge.requests.values()) == 10


def test_the_budget_in_money_is_never_passed(judge, chat, store):
    prices = Prices(10.0, 10.0)
    each = prices.money(count_tokens(QUESTIONS[0].prompt()), COMPLETION_TOKENS)
    settings = AskSettings(max_money=10.5 * each, prices=prices)
    assert ask_all(QUESTIONS, chat, "llm", store, settings=settings).ending == "budget"
    counts = tally(QUESTIONS, store.find(QUESTIONS, "llm"), prices=prices)
    assert counts.money <= 10.5 * each and counts.answered >= 9


def test_pause_and_stop(judge, chat, store):
    judge.delay_s = 0.02
    controls = Controls()
    controls.pause()
    results = []

    def work():
        settings = AskSettings(concurrency=2)
        results.append(ask_all(QUESTIONS, chat, "llm", store, settings=settings, controls=controls))

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.3)
    assert controls.is_paused and sum(judge.requests.values()) == 0
    controls.resume()
    while sum(judge.requests.values()) < 4:
        time.sleep(0.01)
    controls.stop()
    thread.join(10)
    assert results[0].ending == "stopped"
    answered = sum(choice is not None for choice in choices(store))
    assert 4 <= answered == sum(judge.requests.values()) < 40
    ask_all(QUESTIONS, chat, "llm", store)
    assert choices(store) == RIGHT and set(judge.requests.values()) == {1}


KILLED = textwrap.dedent("""
    import sys
    from pathlib import Path
    from esmc_core.keywords import Endpoint
    from esmc_core.texts.answers import AnswerStore
    from esmc_core.texts.asking import AskSettings, ask_all
    from esmc_core.texts.chat import Chat
    from tests.texts.test_asking import QUESTIONS

    chat = Chat(Endpoint.from_env())
    ask_all(QUESTIONS, chat, "llm", AnswerStore(Path(sys.argv[1])), settings=AskSettings(3))
""")


def test_killed_while_asking_loses_no_answer_and_pays_none_twice(judge, store, caplog):
    """kill -9 with three requests on their way; the server counts."""
    judge.delay_s = 0.05
    endpoint = judge.endpoint(KEY)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OPENAI_BASE_URL": endpoint.base_url,
        "OPENAI_MODEL": endpoint.model,
        "OPENAI_API_KEY": KEY,
    }
    script = [sys.executable, "-c", KILLED, str(store.path)]
    process = subprocess.Popen(script, env=environment)
    try:
        deadline = time.monotonic() + 300
        while sum(judge.requests.values()) < 12:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(0.3)  # the server finishes what it was doing
    before = store.find(QUESTIONS, "llm")
    kept = sum(answer is not None and answer.state == "answered" for answer in before)
    interrupted = sum(answer is not None and answer.state == "claimed" for answer in before)
    assert kept >= 9 and interrupted <= 3
    assert sum(judge.requests.values()) <= kept + interrupted

    judge.delay_s = 0.0
    caplog.set_level(logging.DEBUG)
    chat = Chat(endpoint)
    ask_all(QUESTIONS, chat, "llm", store)
    assert max(judge.requests.values()) == 1
    counts = tally(QUESTIONS, store.find(QUESTIONS, "llm"))
    assert (counts.answered, counts.interrupted) == (40 - interrupted, interrupted)
    assert store.release_unusable(QUESTIONS, "llm") == interrupted
    ask_all(QUESTIONS, chat, "llm", store)
    chat.close()
    assert choices(store) == RIGHT
    assert judge.authorizations == {f"Bearer {KEY}"}
    assert KEY not in caplog.text
    store.close()
    for path in store.path.parent.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


def test_the_name_of_a_judge_holds_no_password():
    endpoint = Endpoint(f"https://user:{KEY}@example.com:8443/v1/?key={KEY}", "gpt", KEY)
    assert judge_name(endpoint) == "gpt at example.com:8443/v1"
    assert judge_name(Endpoint("", "gpt")) == "gpt at api.openai.com/v1"


@pytest.mark.parametrize("status", [401, 404])
def test_wrong_settings_end_the_run_at_once_without_the_key(judge, store, status):
    judge.misbehave(str(status), times=100)
    chat = Chat(judge.endpoint(KEY))
    with pytest.raises(EndpointError, match=f"status {status}") as error:
        ask_all(QUESTIONS, chat, "llm", store, settings=AskSettings(concurrency=2))
    chat.close()
    assert KEY not in str(error.value)
    assert sum(judge.requests.values()) <= 4
    assert choices(store) == [None] * 40
