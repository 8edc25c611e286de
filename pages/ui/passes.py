"""Starting a pass over the collection, and finding the job that runs it."""

from __future__ import annotations

import streamlit as st

from esmc_core.images import Collection
from esmc_core.jobs import Job
from esmc_core.lens_store import LensStore
from pages.ui import preferences
from pages.ui.resources import jobs, models, workspace

_ASKED = "pass_asked"


def start(collection: Collection, criterion: str, *, model: str = "", lens: str = "") -> Job:
    """Run the model over the collection in the background, or go on where it stopped."""
    model = model or preferences.model_name()
    lens = lens or preferences.get("lens", "norm")
    criterion = " ".join(criterion.split())

    def work(job: Job) -> None:
        from esmc_core.extract import run_pass

        job.stage = "loading the model"
        loaded = models().get(model)
        store = workspace().create_pass(collection, loaded, criterion, lens=lens)  # type: ignore[arg-type]
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


def asked() -> Job | None:
    """The job that this session started last and has not moved to yet."""
    return jobs().get(st.session_state.get(_ASKED, ""))


def arrived() -> None:
    """The session has moved to the pass it asked for."""
    st.session_state.pop(_ASKED, None)


def job_key(store: LensStore) -> str:
    """The key of the job that fills the store, whoever started it."""
    spec = store.spec
    return _job_key(spec.collection, spec.model, spec.lens, spec.criterion)


def _job_key(collection: str, model: str, lens: str, criterion: str) -> str:
    return f"pass/{collection}/{model}/{lens}/{criterion}"
