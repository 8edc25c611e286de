"""A job on the page: how far it is, how long it will take, and a way to stop it."""

from __future__ import annotations

import streamlit as st

from esmc_core.jobs import Job
from pages.ui import guard
from pages.ui.resources import jobs
from pages.ui.wording import duration


def show_job(key: str) -> Job | None:
    """Draw the job's bar while it is active, its error if it failed.

    The page runs again by itself when the job ends.

    Returns:
        The job, or None if there never was one.
    """
    job = jobs().get(key)
    if job is None:
        return None
    if job.is_active:
        _bar(key)
    elif job.error:
        guard.show_error(job.error)
    return job


@st.fragment(run_every=0.4)
def _bar(key: str) -> None:
    job = jobs().get(key)
    if job is None or not job.is_active:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(job.fraction, text=_describe(job))
        st.button(
            "Cancel",
            key=f"cancel-{key}",
            on_click=job.cancel,
            disabled=job.should_stop(),
            help="What is finished is kept.",
        )


def _describe(job: Job) -> str:
    if job.should_stop():
        return f"{job.title}: stopping …"
    if job.state == "queued":
        return f"{job.title}: waiting for other work to end"
    parts = [job.title]
    if job.total:
        parts.append(f"{job.done:,} of {job.total:,}")
    elif job.stage:
        parts.append(job.stage)
    if job.remaining_s is not None:
        parts.append(f"{duration(job.remaining_s)} left")
    return " · ".join(parts)
