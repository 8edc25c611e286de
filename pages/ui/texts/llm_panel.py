"""Letting an LLM answer a queue: what it will cost, how it goes, how it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.ui import endpoint, preferences
from pages.ui.progress import show_job
from pages.ui.resources import jobs
from pages.ui.texts import steps
from pages.ui.texts.judges import Judge
from pages.ui.wording import counted, duration

if TYPE_CHECKING:
    from esmc_core.jobs import Job
    from esmc_core.texts.asking import Outcome
    from esmc_core.texts.judging import Tally
    from esmc_core.texts.questions import Question
    from esmc_core.texts.study import Study

CONCURRENCY = 4


def llm_panel(
    study: Study,
    judge: Judge,
    questions: Sequence[Question],
    choices: np.ndarray | None,
    *,
    step: str,
) -> None:
    """Estimate, start, progress, and what came of it.

    Args:
        questions: what the LLM is to answer; those of the person's answers are left out.
        choices: (n_questions,) the embedder's, for triplets.
        step: which queue it is, for the job's key.
    """
    key = steps.key_of_step(study, step, judge.name)
    job = show_job(key)
    if job is not None and job.is_active:
        return
    counts = count(study, judge, questions, choices)
    if counts.answered or counts.dropped:
        _figures(counts)
    if counts.interrupted or counts.unusable:
        _ask_again(study, judge, questions, counts)
    if job is not None and job.result is not None:
        _ending(job.result)
    if counts.remaining:
        _start_row(study, judge, questions, choices, key)


def count(
    study: Study,
    judge: Judge,
    questions: Sequence[Question],
    choices: np.ndarray | None,
    *,
    is_running: bool = False,
) -> Tally:
    """Where the queue stands."""
    from esmc_core.texts.judging import tally

    return tally(
        questions,
        study.answers.find(questions, judge.name),
        embedder_choices=choices,
        prices=endpoint.prices(),
        counts_waiting=not is_running,
    )


def in_words(counts: Tally) -> str:
    """The counts in a line."""
    parts = [f"{counts.answered:,} answered", f"{counts.dropped:,} dropped"]
    if counts.agreement is not None:
        parts.append(f"{counts.agreement:.0%} as the embedder")
    parts.append(f"{counts.prompt_tokens + counts.completion_tokens:,} tokens")
    if counts.money:
        parts.append(f"{counts.money:.3f} spent")
    return " · ".join(parts)


def _start_row(
    study: Study,
    judge: Judge,
    questions: Sequence[Question],
    choices: np.ndarray | None,
    key: str,
) -> None:
    from esmc_core.texts.asking import AskSettings
    from esmc_core.texts.spend import estimate

    prices = endpoint.prices()
    answers = study.answers.find(questions, judge.name)
    waiting = [q for q, answer in zip(questions, answers, strict=True) if answer is None]
    cost = estimate(waiting, prices=prices, concurrency=CONCURRENCY)
    tokens = f"about {cost.prompt_tokens + cost.completion_tokens:,} tokens"
    money = f"about {cost.money:.3f} at your prices" if cost.money else "no price is set"
    st.markdown(
        f"**{counted(cost.n_questions, 'question')}** · {tokens} · {money} · "
        f"about {duration(cost.seconds)}, {CONCURRENCY} at a time"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = st.number_input(
            "Stop at this much money (0: no limit)",
            min_value=0.0,
            value=preferences.get("max_money", 0.0),
            step=0.1,
            format="%.2f",
            key=f"max-money-{key}",
            width=270,
            disabled=not (prices.per_million_prompt or prices.per_million_completion),
            help="It needs the prices of the settings.",
        )
        pressed = st.button("Let the LLM answer", type="primary", icon=":material/smart_toy:")
    if not pressed or judge.endpoint is None:
        return
    preferences.put(max_money=float(limit))
    settings = AskSettings(CONCURRENCY, max_money=float(limit) or None, prices=prices)
    steps.ask_llm(
        study,
        questions,
        judge.endpoint,
        settings,
        key=key,
        note=lambda: in_words(count(study, judge, questions, choices, is_running=True)),
    )
    st.rerun()


def _figures(counts: Tally) -> None:
    cells = [("Answered", f"{counts.answered:,} of {counts.n_questions:,}", "")]
    cells.append(("Dropped", f"{counts.dropped:,}", "Neither, nonsense, or no answer at all."))
    if counts.agreement is not None:
        told = "Share of the answers in which the embedder chooses the same."
        cells.append(("As the embedder", f"{counts.agreement:.0%}", told))
    tokens = counts.prompt_tokens + counts.completion_tokens
    spent = f"{counts.money:.3f}" if counts.money else f"{tokens:,} tokens"
    cells.append(("Spent", spent, f"{counts.requests:,} requests, {tokens:,} tokens"))
    for column, (title, value, told) in zip(st.columns(len(cells)), cells, strict=True):
        column.metric(title, value, help=told or None)


def _ask_again(study: Study, judge: Judge, questions: Sequence[Question], counts: Tally) -> None:
    told = [
        (counts.interrupted, "had been sent when the app ended."),
        (counts.unusable, "got no answer that says anything."),
    ]
    said = " ".join(f"{counted(n, 'question')} {what}" for n, what in told if n)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"{said} They may have been paid for, so they are not sent again by themselves.",
            width="stretch",
        )
        if st.button("Ask them again"):
            study.answers.release_unusable(questions, judge.name)
            st.rerun()


def _ending(outcome: Outcome) -> None:
    if outcome.ending == "budget":
        st.info("The limit of money ended the questions.")
    elif outcome.ending == "stopped":
        st.info("Stopped. What was answered is kept.")
    elif outcome.unanswered:
        st.info(
            f"{counted(outcome.unanswered, 'question')} got no answer; they can be asked again."
        )


def is_running(study: Study, judge: Judge, step: str) -> bool:
    """Whether the LLM is at work on this queue."""
    job = jobs().get(steps.key_of_step(study, step, judge.name))
    return job is not None and job.is_active


def running(study: Study, step: str) -> list[Job]:
    """All that asks the study's questions, whichever LLM: it may have been set elsewhere."""
    place = f"/{study.collection.key}/{study.key}/"
    return [job for job in jobs().active() if job.key.startswith(step) and place in job.key]


def show_others(study: Study, step: str, judge: Judge | None) -> None:
    """Draw the progress of runs with another LLM than the one that is set now."""
    own = None if judge is None else steps.key_of_step(study, step, judge.name)
    for job in running(study, step):
        if job.key != own:
            show_job(job.key)
