"""Starting a pass over the collection, and finding the job that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from esmc_core.images import Collection
from esmc_core.jobs import Job
from esmc_core.lens_store import LensStore
from pages.ui import place, preferences
from pages.ui.resources import jobs, models, workspace
from pages.ui.seen_before import SeenBefore

if TYPE_CHECKING:
    from esmc_core.models.model import Lens, VisionLanguageModel

_ASKED = "pass_asked"


def start(
    collection: Collection, criteria: Sequence[str], *, model: str = "", lens: Lens | None = None
) -> Job:
    """Run the model over the collection in the background, or go on where it stopped.

    Of some criteria the first is shown. The job's note says what they share.
    """
    model = model or preferences.model_name()
    lens = lens or preferences.lens()
    criteria = list(dict.fromkeys(" ".join(criterion.split()) for criterion in criteria))
    keys = [_job_key(collection.key, model, lens, criterion) for criterion in criteria]

    def work(job: Job) -> None:
        from esmc_core.extract import run_passes, shares_passes

        job.at("loading the model")
        loaded = models().get(model)
        is_shared = shares_passes(loaded, criteria)
        stores = [
            workspace().create_pass(collection, loaded, criterion, lens=lens)
            for criterion in criteria
        ]
        for criterion in reversed(criteria):
            preferences.remember_criterion(criterion)
        missing = [store for store in stores if not store.is_complete]
        earlier = {
            made.key
            for made in workspace().list_passes(collection.key)
            if made.model == loaded.name and made.n_done == made.n_images
        }.difference(store.key for store in stores)
        seen = SeenBefore(workspace().features(collection, loaded), missing)
        told = _tell(loaded, len(stores), len(missing), is_shared, bool(earlier) and not seen.n)

        def progress(done: int, total: int) -> None:
            job.progress(done, total)
            job.note = " ".join(part for part in (told, seen.tell(done)) if part)

        job.note = " ".join(part for part in (told, seen.tell(0)) if part)
        job.partial = {key: store.key for key, store in zip(keys, stores, strict=True)}
        run_passes(
            loaded,
            stores,
            workspace().image_opener(collection),
            features=seen.features,
            progress=progress,
            should_stop=job.should_stop,
        )

    st.session_state[_ASKED] = keys[0]
    waiting = [key for key in keys if not jobs().is_going_on(key)] or keys
    return jobs().submit(waiting[0], work, title="Looking at the pictures", also=waiting[1:])


def asked(collection: Collection) -> Job | None:
    """The job that this session started last and has not moved to yet.

    A session that has no pass, as after a reload, takes up one that is just being started.
    """
    job = jobs().get(st.session_state.get(_ASKED, ""))
    if job is None and not place.here().lens:
        begun = [job for job in jobs().active() if job.key.startswith(f"pass/{collection.key}/")]
        job = begun[-1] if begun else None
    return job


def shown(job: Job) -> str | None:
    """The key of the pass to be shown of the job, once there is one on disk."""
    passes: dict[str, str] = job.partial or {}
    return passes.get(st.session_state.get(_ASKED, ""), next(iter(passes.values()), None))


def arrived() -> None:
    """The session has moved to the pass it asked for."""
    st.session_state.pop(_ASKED, None)


def job_key(store: LensStore) -> str:
    """The key of the job that fills the store, whoever started it."""
    spec = store.spec
    return _job_key(spec.collection, spec.model, spec.lens, spec.criterion)


def begun_with(store: LensStore) -> list[str]:
    """The criteria of the unfinished passes by the same model and lens; the store's own first."""
    own = store.spec
    others = []
    for made in workspace().list_passes(own.collection):
        if made.key != store.key and made.model == own.model and made.n_done < made.n_images:
            spec = workspace().open_pass(own.collection, made.key).spec
            if spec.lens == own.lens:
                others.append(spec.criterion)
    return [own.criterion, *sorted(others)]


def _tell(
    model: VisionLanguageModel, n_criteria: int, n_missing: int, is_shared: bool, is_later: bool
) -> str:
    """What of the model's work serves more than one criterion."""
    if n_missing == 0:
        return "Kept from before: the model was not asked."
    parts = []
    if n_missing < n_criteria:
        parts.append(f"{n_criteria - n_missing} of {n_criteria} criteria kept from before.")
    if n_missing > 1 and is_shared:
        parts.append(f"{n_missing} criteria in one look at each picture.")
    elif n_missing > 1:
        parts.append(
            f"{n_missing} criteria one by one: {model.family.title} sees a picture in the light of "
            "the criterion."
        )
    elif is_later:
        parts.append("Each picture was looked at again; criteria given together share one look.")
    return " ".join(parts)


def _job_key(collection: str, model: str, lens: str, criterion: str) -> str:
    return f"pass/{collection}/{model}/{lens}/{criterion}"
