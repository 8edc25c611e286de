"""Starting a pass over the collection, and finding the job that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from esmc_core.images import Collection
from esmc_core.jobs import Job
from esmc_core.lens_store import LensStore
from pages.ui import place, preferences
from pages.ui.resources import jobs, models, workspace

if TYPE_CHECKING:
    from esmc_core.models.model import Lens

_ASKED = "pass_asked"


def start(
    collection: Collection, criterion: str, *, model: str = "", lens: Lens | None = None
) -> Job:
    """Run the model over the collection in the background, or go on where it stopped."""
    model = model or preferences.model_name()
    lens = lens or preferences.lens()
    criterion = " ".join(criterion.split())

    def work(job: Job) -> None:
        from esmc_core.extract import run_pass

        job.stage = "loading the model"
        loaded = models().get(model)
        store = workspace().create_pass(collection, loaded, criterion, lens=lens)
        preferences.remember_criterion(criterion)
        job.partial = store.key
        run_pass(
            loaded,
            store,
            workspace().image_opener(collection),
            progress=job.progress,
            should_stop=job.should_stop,
        )

    key = _job_key(collection.key, model, lens, criterion)
    st.session_state[_ASKED] = key
    return jobs().submit(key, work, title="Looking at the pictures")


def asked(collection: Collection) -> Job | None:
    """The job that this session started last and has not moved to yet.

    A session that has no pass, as after a reload, takes up one that is just being started.
    """
    job = jobs().get(st.session_state.get(_ASKED, ""))
    if job is None and not place.here().lens:
        begun = [job for job in jobs().active() if job.key.startswith(f"pass/{collection.key}/")]
        job = begun[-1] if begun else None
    return job


def arrived() -> None:
    """The session has moved to the pass it asked for."""
    st.session_state.pop(_ASKED, None)


def job_key(store: LensStore) -> str:
    """The key of the job that fills the store, whoever started it."""
    spec = store.spec
    return _job_key(spec.collection, spec.model, spec.lens, spec.criterion)


def _job_key(collection: str, model: str, lens: str, criterion: str) -> str:
    return f"pass/{collection}/{model}/{lens}/{criterion}"
