"""The questions of a round: cards for the person, a queue for the LLM, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import preferences
from pages.ui.components.questions import questions as question_cards
from pages.ui.progress import show_job
from pages.ui.resources import jobs
from pages.ui.texts import llm_panel, queues, steps
from pages.ui.texts.judges import Judge, choose_judge
from pages.ui.wording import counted, duration

if TYPE_CHECKING:
    from esmc_core.texts.study import Study

LONG_TEXT = 260
USUAL = {"person": 64, "llm": 256, "both": 256}
STEP = "ask-triplets"


def heading(study: Study, round: str) -> str:
    """Which embedding is asked about."""
    if not round:
        return "Questions"
    keys = [made.key for made in study.rounds.list()]
    return f"Questions about the embedder of round {keys.index(round) + 1}"


def is_wanted(study: Study, round: str) -> bool:
    """Whether the embedding is asked about; after a round only if the user wants to go on."""
    if not round or study.has_triplets(round):
        return True
    if jobs().get(steps.key_of_step(study, "triplets", round)) is not None:
        return True
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            "The tuned embedder is in use. New questions about it can tune it further.",
            width="stretch",
        )
        if st.button("Ask another round", icon=":material/replay:"):
            steps.draw_triplets(study, round)
            st.rerun()
    return False


def is_ready(study: Study, round: str) -> bool:
    """Whether the questions are drawn; draws the progress of that, or its error."""
    if study.has_triplets(round):
        return True
    key = steps.key_of_step(study, "triplets", round)
    if jobs().get(key) is None:
        steps.draw_triplets(study, round)
    job = show_job(key)
    if job is not None and not job.is_active and not study.has_triplets(round):
        if st.button("Try again", icon=":material/refresh:"):
            steps.draw_triplets(study, round)
            st.rerun()
        return False
    return study.has_triplets(round)


def triplet_panel(study: Study, round: str) -> Judge | None:
    """Who answers, how many, and the queue itself; the judge, None where an LLM is not set."""
    from esmc_core.texts.spend import SECONDS_A_PERSON
    from esmc_core.texts.triplets import N_TRIPLETS

    left, right = st.columns([3, 1], vertical_alignment="top")
    with left:
        judge = choose_judge("triplet-judge")
    kind = judge.kind if judge else "llm"
    with right:
        goal = _goal_box(kind, len(study.triplets(round)), N_TRIPLETS)
    llm_panel.show_others(study, f"{STEP}/{round}", judge)
    if judge is None:
        return None
    if judge.kind == "person":
        took = duration(goal * SECONDS_A_PERSON)
        left.caption(f"{counted(goal, 'question')} take about {took}. Stop whenever you like.")
        person_cards(study, round, queues.Queue(*_place(study), "triplets", round, goal))
    else:
        _llm(study, round, judge, goal)
    return judge


def person_cards(study: Study, round: str, queue: queues.Queue) -> None:
    """The cards of a queue."""
    state = queues.state(queue)
    if not state["total"]:
        return
    if queue.kind == "pairs":
        ask, done = f"Do these two have the same {study.perspective}?", "All are answered."
    else:
        ask = f"In terms of {study.perspective}: which choice is more like this text?"
        done = "All are answered. Tune below, or raise the number of questions."
    question_cards(
        queue.url,
        state,
        kind="pair" if queue.kind == "pairs" else "triplet",
        ask=ask,
        is_long=is_long(study),
        done=done,
        key=f"questions-{queue.kind}-{study.key}",
    )


def is_long(study: Study) -> bool:
    """Whether many of the texts need more room than a sentence does."""
    some = sorted(map(len, study.collection.texts[:500]))
    return some[int(0.9 * (len(some) - 1))] > LONG_TEXT


def _llm(study: Study, round: str, judge: Judge, goal: int) -> None:
    from esmc_core.texts.answers import PERSON

    questions = study.triplet_questions(round)[:goal]
    choices = study.embedder_choices(round)[:goal]
    mine = study.answers.find(questions, PERSON)
    open_numbers = [i for i, answer in enumerate(mine) if answer is None]
    if judge.kind == "llm":  # what the person has answered is not paid for again
        questions, choices = [questions[i] for i in open_numbers], choices[open_numbers]
        if len(open_numbers) < len(mine):
            n_mine = len(mine) - len(open_numbers)
            st.caption(f"{counted(n_mine, 'question')} you have answered yourself.")
    llm_panel.llm_panel(study, judge, questions, choices, step=f"{STEP}/{round}")
    if judge.kind == "both" and not llm_panel.is_running(study, judge, f"{STEP}/{round}"):
        queue = queues.Queue(*_place(study), "review", round, goal, judge.name)
        n_questions = len(queues.numbers_of(queue))
        if n_questions:
            st.markdown(
                f"**For you to check**: {counted(n_questions, 'question')} that the LLM was unsure "
                "of, or in which it contradicts the embedder."
            )
            person_cards(study, round, queue)


def _goal_box(kind: str, n_triplets: int, most: int) -> int:
    goals: dict[str, int] = preferences.get("goals", {})
    remembered = goals.get(kind)
    usual = remembered if isinstance(remembered, int) else USUAL[kind]
    goal = st.number_input(
        "Questions",
        min_value=1,
        max_value=max(1, min(n_triplets, most)),
        value=max(1, min(usual, n_triplets)),
        key=f"goal-{kind}-{n_triplets}",
        persist_state="session",
        help=f"Up to {n_triplets:,} were drawn, of texts between two clusters. 64 are a start; a "
        "few hundred teach more. Tune in between: a second round asks what the first left open, so "
        "four rounds of 256 teach more than one of 1,024.",
    )
    preferences.put(goals=goals | {kind: int(goal)})
    return int(goal)


def _place(study: Study) -> tuple[str, str]:
    return study.collection.key, study.key
