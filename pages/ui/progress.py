"""A job on the page: how far it is, how long it will take, and a way to stop it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from esmc_core.jobs import Job
from pages.ui import guard
from pages.ui.addresses import address
from pages.ui.components.progress import progress
from pages.ui.resources import jobs
from pages.ui.wording import duration


def progress_slot() -> Any:
    """Where a page draws its bar: in one place and as high, whatever stands in it."""
    return st.container(key="progress-slot")


def show_job(key: str) -> Job | None:
    """Draw the job's bar while it is active, its error if it failed.

    The page runs again by itself when the job ends, and when it has more to show.

    Returns:
        The job, or None if there never was one.
    """
    job = jobs().get(key)
    if job is None:
        return None
    if job.is_active:
        progress(address(f"jobs/{job.id}"), status(job), key=f"progress-{job.id}")
    elif job.error:
        guard.show_error(job.error)
    return job


def status(job: Job) -> dict[str, Any]:
    """What the bar shows of a job, ready for JSON."""
    return {
        "text": _describe(job),
        "fraction": job.fraction,
        "note": job.note,
        "stopping": job.should_stop(),
        "paused": None if job.controls is None else job.controls.is_paused,
        "news": _news(job),
    }


def _news(job: Job) -> str:
    """Changes when the page has something else to show.

    Of work that can be used before its end that is each time that twice as much is done, up to
    what a heatmap is made from; any other run of the page would only hold up the work.
    """
    if not job.is_active:
        return job.state
    return "active" if job.partial is None else f"{job.partial} {min(job.done, 512).bit_length()}"


def _describe(job: Job) -> str:
    if job.should_stop():
        return f"{job.title}: stopping …"
    if job.controls is not None and job.controls.is_paused:
        return f"{job.title}: paused at {job.done:,} of {job.total:,}"
    if job.state == "queued":
        return f"{job.title}: waiting for other work to end"
    parts = [job.title]
    if job.stage:
        parts.append(job.stage)
    elif job.total:
        parts.append(f"{job.done:,} of {job.total:,}")
    if job.remaining_s is not None:
        parts.append(f"{duration(job.remaining_s)} left")
    return " · ".join(parts)
