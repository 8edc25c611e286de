"""The second page for texts: the perspective, the questions, and tuning."""

import asyncio
import dataclasses
import json
import time

import pytest
from starlette.requests import Request

from esmc_core.jobs import Job
from esmc_core.records import write_json
from esmc_core.texts.answers import PERSON, Answer
from esmc_core.texts.chat import judge_name
from esmc_core.texts.judging import answer_in_person
from esmc_core.texts.rounds import UNTUNED
from esmc_core.texts.simulated import LabelOracle, SimulatedJudge
from pages.ui import routes
from pages.ui.resources import jobs
from pages.ui.texts import llm_panel
from pages.ui.texts.queues import Queue, state
from pages.ui.texts.triplet_panel import STEP
from tests.app.conftest import button, is_sound, settled, texts, wait_for_jobs
from tests.tiny_texts import tiny_texts

KEY = "sk-secret-0123456789"


@pytest.fixture
def queue(study) -> Queue:
    return Queue(study.collection.key, study.key, "triplets", UNTUNED, 64)


@pytest.fixture
def judge():
    with SimulatedJudge(LabelOracle(dict(zip(*tiny_texts(), strict=True)))) as judge:
        yield judge


def request(queue: Queue, body: bytes = b"", *, headers=((b"x-esmc", b"1"),), **changes) -> Request:
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    place = {"texts": queue.texts, "study": queue.study, "kind": queue.kind} | changes
    query = queue.url.partition("?")[2].encode()
    scope = {"type": "http", "path_params": place, "query_string": query, "headers": list(headers)}
    return Request(scope, receive)


def post(queue: Queue, *steps, **options):
    body = json.dumps({"steps": steps}).encode()
    return asyncio.run(routes.take_answer(request(queue, body, **options)))


def press(card, pressed: int) -> dict:
    return {"number": card["number"], "key": card["key"], "pressed": pressed}


def answer_all(study) -> None:
    """A person who knows the topics."""
    topics = dict(zip(*tiny_texts(), strict=True))
    for question in study.triplet_questions(UNTUNED):
        own, first, second = (
            topics[t] for t in (question.query, question.choice1, question.choice2)
        )
        choice = 0 if (own == first) == (own == second) else 1 if own == first else 2
        answer_in_person(study.answers, question, choice)


def test_a_perspective_begins_a_study(study, visit):
    app = visit("questions", texts=study.collection.key)
    assert is_sound(app) and "Write the perspective" in texts(app)
    app = button(app, "Begin").click().run()
    assert "no perspective" in app.error[0].value
    app.text_input(key="perspective").set_value("mood")
    app = settled(button(app, "Begin").click().run())
    assert is_sound(app) and "From 10 decided answers on; 0 so far." in texts(app)
    assert app.query_params["study"] != study.key
    again = settled(visit("questions"))
    assert again.text_input(key="perspective").value == "mood"


def test_an_embedder_that_is_none(study, visit):
    app = visit("questions", texts=study.collection.key)
    app.text_input(key="perspective").set_value("mood")
    app.text_input(key="embedder").set_value("/nowhere")
    app = settled(button(app, "Begin").click().run())
    assert "/nowhere cannot be loaded" in app.error[0].value
    assert button(app, "Try again")


def test_answers_are_on_disk_when_the_reply_comes(study, queue):
    cards = state(queue)["cards"]
    reply = post(queue, press(cards[0], 1), press(cards[1], 0))
    assert json.loads(reply.body) | {"cards": 0} == {
        "total": 64,
        "answered": 2,
        "decided": 1,
        "cards": 0,
        "undone": None,
    }
    first, second = study.answers.find(study.triplet_questions()[:2], PERSON)
    assert (first.choice, second.state) == (1, "dropped")
    undone = json.loads(post(queue, {"undo": True}).body)
    assert undone["undone"] == cards[1] and undone["answered"] == 1
    now = json.loads(routes.next_questions(request(queue)).body)
    assert now["cards"][0] == cards[1]


def test_an_answer_takes_milliseconds(queue):
    cards = state(queue)["cards"]
    began = time.monotonic()
    for card in cards[:10]:
        assert post(queue, press(card, 2)).status_code == 200
    assert (time.monotonic() - began) / 10 < 0.5  # some 10 ms where nothing else works


def test_what_is_no_answer_is_refused(study, queue):
    card = state(queue)["cards"][0]
    assert post(queue, press(card, 1), headers=()).status_code == 404
    assert post(queue, press(card | {"key": "0" * 16}, 1)).status_code == 409
    assert post(queue, press(card | {"number": 9999}, 1)).status_code == 409
    assert post(queue, press(card, 3)).status_code == 409
    assert post(queue, {"number": 0}).status_code == 400
    assert post(queue, press(card, 1), kind="others").status_code == 409
    assert post(queue, press(card, 1), study="0" * 16).status_code == 409
    assert asyncio.run(routes.take_answer(request(queue, b"[]"))).status_code == 400
    assert asyncio.run(routes.take_answer(request(queue, b"nothing"))).status_code == 400
    assert state(queue)["answered"] == 0


def test_a_person_tunes_and_sees_what_came_of_it(study, texts_place, visit):
    app = settled(visit("questions", **texts_place))
    assert button(app, "Tune now").disabled
    answer_all(study)
    app = app.run()
    app = settled(button(app, "Tune now").click().run())
    assert is_sound(app)
    (made,) = study.rounds.list()
    said = texts(app)
    assert "Round 1: " in said and "**Before**" in said and "**After**" in said
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Held out, before"] == f"{made.report.before:.1%}"
    assert "NMI after" in shown
    assert len([one for one in app.get("bidi_component") if "scatter" in str(one.proto)]) == 2
    other = "Do not use it" if study.round_in_use == made.key else "Use this round"
    before = study.round_in_use
    app = button(app, other).click().run()
    assert is_sound(app) and study.round_in_use != before
    assert any("tuned embedder" in one.label for one in app.download_button)


def test_few_answers_are_told_to_be_few(study, texts_place, visit):
    """What gained, but on too few answers, is not kept, and how many more would tell is said."""
    answer_all(study)
    made = study.tune(PERSON)
    few = dataclasses.replace(
        made.report, n_answers=19, n_held_out=19, before=0.5, after=0.625, is_kept=False
    )
    few = dataclasses.replace(few, chance=0.016, more_needed=1234)
    write_json(study.rounds.folder / made.key / "round.json", dataclasses.replace(made, report=few))
    app = settled(visit("questions", **texts_place))
    assert is_sound(app) and "Round 1: not kept" in texts(app)
    assert "too few answers to tell that from chance: about 1,200 more decided" in texts(app)
    assert {m.label: m.value for m in app.metric}["As likely by chance"] == "1.6%"
    old = {k: v for k, v in dataclasses.asdict(few).items() if k not in ("chance", "more_needed")}
    record = dataclasses.asdict(made) | {"report": old}
    write_json(study.rounds.folder / made.key / "round.json", record)
    app = settled(app.run())
    assert is_sound(app) and "no more than chance may give" in texts(app)


def test_full_tuning_waits_for_more_answers(study, texts_place, visit):
    """A fifth of them is held out for it."""
    answer_all(study)
    app = settled(visit("questions", **texts_place))
    decided = len(study.preferences(PERSON))
    assert decided >= 10 and not button(app, "Tune now").disabled
    app = app.radio(key="tuning_method_choice").set_value("full").run()
    assert is_sound(app) and button(app, "Tune now").disabled == (decided < 50)
    assert decided >= 50 or f"{decided} of 50" in texts(app)


def test_a_second_round(study, texts_place, visit):
    answer_all(study)
    app = settled(visit("questions", **texts_place))
    app = settled(button(app, "Tune now").click().run())
    (made,) = study.rounds.list()
    study.use_round(made.key)
    app = app.segmented_control(key=f"view-{study.key}").set_value("questions").run()
    app = settled(button(app, "Ask another round").click().run())
    assert is_sound(app) and "Questions about the embedder of round 1" in texts(app)
    assert not set(study.triplets(made.key)) & set(study.triplets(UNTUNED))


def test_the_tuned_embedder_is_opened_elsewhere(study, tmp_path):
    import io
    import zipfile

    import numpy as np
    from sentence_transformers import SentenceTransformer

    from pages.ui.texts.tuned_file import zipped

    answer_all(study)
    made = study.tune(PERSON)
    zipfile.ZipFile(io.BytesIO(zipped(study, made.key, "tuned"))).extractall(tmp_path)
    opened = SentenceTransformer(str(tmp_path / "tuned"), device="cpu")
    some = list(study.collection.texts[:5])
    expected = study.embeddings(made.key)[:5]
    np.testing.assert_allclose(opened.encode(some, normalize_embeddings=True), expected, atol=1e-5)


def with_llm(app, judge, kind: str):
    app.session_state["endpoint"] = judge.endpoint(KEY)
    return app.segmented_control(key="triplet-judge").set_value(kind).run()


def begun(app) -> Job:
    """The run that the button starts, once it can be paused and stopped."""
    button(app, "Let the LLM answer").click().run()
    (job,) = jobs().active()
    while job.controls is None:
        time.sleep(0.01)
    return job


def test_an_llm_answers_within_what_was_told_before(study, texts_place, visit, judge, server):
    app = with_llm(settled(visit("questions", **texts_place)), judge, "llm")
    n_triplets = min(256, len(study.triplets()))
    assert is_sound(app) and f"**{n_triplets} questions** · about" in texts(app)
    app = settled(button(app, "Let the LLM answer").click().run())
    assert is_sound(app)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Answered"].endswith(f"of {n_triplets}") and shown["As the embedder"]
    assert judge.authorizations == {f"Bearer {KEY}"}
    assert max(judge.requests.values()) == 1
    assert not button(app, "Tune now").disabled
    for path in server.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_what_the_person_answered_is_not_paid_for(study, texts_place, visit, judge):
    questions = study.triplet_questions()
    for question in questions[:7]:
        answer_in_person(study.answers, question, 1)
    app = with_llm(settled(visit("questions", **texts_place)), judge, "llm")
    assert "7 questions you have answered yourself" in texts(app)
    settled(button(app, "Let the LLM answer").click().run())
    asked = set(judge.requests)
    assert not asked & {question.prompt() for question in questions[:7]}


def test_the_person_checks_the_llm(study, texts_place, visit, judge):
    app = with_llm(settled(visit("questions", **texts_place)), judge, "both")
    app = settled(button(app, "Let the LLM answer").click().run())
    assert is_sound(app) and "**For you to check**" in texts(app)


def test_without_an_llm_the_page_leads_to_the_settings(texts_place, visit):
    app = settled(visit("questions", **texts_place))
    app = app.segmented_control(key="triplet-judge").set_value("llm").run()
    assert is_sound(app) and "No LLM is set" in texts(app)
    button(app, "Set the LLM").click().run()
    assert app.title[0].value == "Settings"


def test_a_run_is_seen_where_its_llm_is_not_set(study, texts_place, visit, judge, monkeypatch):
    judge.delay_s = 0.2
    app = with_llm(settled(visit("questions", **texts_place)), judge, "llm")
    job = begun(app)
    shown = []
    monkeypatch.setattr(llm_panel, "show_job", shown.append)
    reloaded = visit("questions", **texts_place)
    assert is_sound(reloaded) and "No LLM is set" in texts(reloaded)
    assert shown == [job.key]
    job.cancel()
    wait_for_jobs()
    assert llm_panel.running(study, STEP) == []


def test_what_got_no_answer_is_asked_again_at_a_word(study, texts_place, visit, judge):
    for question in study.triplet_questions()[:3]:
        study.answers.save(
            question, judge_name(judge.endpoint()), Answer("dropped", reason="nonsense")
        )
    app = with_llm(settled(visit("questions", **texts_place)), judge, "llm")
    app = settled(button(app, "Let the LLM answer").click().run())
    n_asked = len(judge.requests)
    assert "3 questions got no answer that says anything" in texts(app)
    app = settled(button(app, "Ask them again").click().run())
    assert "**3 questions** · about" in texts(app)
    settled(button(app, "Let the LLM answer").click().run())
    assert len(judge.requests) == n_asked + 3


def test_an_llm_that_refuses_is_told_of(study, texts_place, visit, judge):
    judge.misbehave("401", times=50)
    app = with_llm(settled(visit("questions", **texts_place)), judge, "llm")
    app = settled(button(app, "Let the LLM answer").click().run())
    assert "status 401" in app.error[0].value and KEY not in app.error[0].value


def test_a_paused_job_rests_and_goes_on(study, texts_place, visit, judge):
    judge.delay_s = 0.05
    app = with_llm(settled(visit("questions", **texts_place)), judge, "llm")
    job = begun(app)

    def order(name: str) -> int:
        scope = {"type": "http", "path_params": {"id": job.id, "order": name}, "headers": []}
        scope["headers"] = [(b"x-esmc", b"1")]
        return routes.order_job(Request(scope)).status_code

    assert order("pause") == 204 and job.controls.is_paused
    assert routes.status(job)["paused"] is True
    assert order("resume") == 204 and order("dance") == 404
    assert is_sound(settled(app))
