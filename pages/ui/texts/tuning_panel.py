"""Tuning by the answers: start it, see how it goes, keep it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import preferences
from pages.ui.progress import show_job
from pages.ui.resources import jobs
from pages.ui.texts import steps
from pages.ui.texts.judges import Judge

if TYPE_CHECKING:
    from esmc_core.texts.study import Study

_STARTED, _METHOD = "tuning_started", "tuning_method_choice"
METHODS = {
    "adapter": "Adapter (default): a linear map behind the embedder, seconds",
    "full": "Full: the embedder's own upper layers, minutes (better with a GPU)",
}
_HELP = (
    "The adapter is the default: every answer is held out once, and in the benchmark full tuning "
    "did about as well on the two sets tried, and took ten to thirty times as long. It "
    "holds out a fifth of the answers, and stops after four and a half minutes, done or not."
)


def tuning_panel(study: Study, judge: Judge, round: str) -> None:
    """The button, and the progress of what it started."""
    from esmc_core.texts.tuning import TuneSettings

    key = steps.key_of_step(study, "tune", round)
    job = jobs().get(key)
    if job is not None and job.is_active:
        show_job(key)
        return
    if job is not None and job.state == "done" and st.session_state.get(_STARTED) == key:
        st.rerun()  # it ended while the page ran: nothing else would tell
    decided = len(study.preferences(judge.name, round=round))
    remembered = preferences.get("tuning_method", "adapter")
    st.session_state.setdefault(_METHOD, remembered if remembered in METHODS else "adapter")
    is_full = st.session_state[_METHOD] == "full"
    settings = TuneSettings("full" if is_full else "adapter")
    least = settings.least_answers
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Tune now",
            type="primary",
            icon=":material/model_training:",
            disabled=decided < least,
        )
        with st.popover("Method", icon=":material/tune:"):
            method = st.radio(
                "How to tune",
                list(METHODS),
                format_func=METHODS.__getitem__,
                key=_METHOD,
                help=_HELP,
            )
        st.markdown(_told(decided, least), width="stretch")
    show_job(key)
    if pressed:
        preferences.put(tuning_method=method)
        st.session_state[_STARTED] = steps.tune(study, judge.name, settings, base=round).key
        st.rerun()


def just_tuned() -> bool:
    """Whether the tuning that this session started has ended since the page ran last."""
    job = jobs().get(st.session_state.get(_STARTED, ""))
    if job is None or job.is_active:
        return False
    del st.session_state[_STARTED]
    return job.state == "done"


def _told(decided: int, least: int) -> str:
    if decided < least:
        return f":gray[From {least} decided answers on; {decided} so far.]"
    return (
        ":gray[A part of the answers is held out and judges whether the tuned embedder is better; "
        "if not, it is not put to use.]"
    )
