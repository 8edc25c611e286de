"""Clustering in the background."""

from __future__ import annotations

import dataclasses

import streamlit as st

from esmc_core.cluster.clustering import Clustering, ClusterSettings
from esmc_core.errors import EsmcError
from esmc_core.images import Collection
from esmc_core.jobs import Job
from esmc_core.lens_store import LensStore
from pages.ui import place
from pages.ui.lens_views import Cell
from pages.ui.resources import jobs, models, projection, workspace

MANY = 10_000
"""Pictures whose clustering takes so long that it is begun ahead of the user."""

_ASKED = "clustering_asked"
_TITLE, _AHEAD = "Clustering", "Clustering ahead"


def asked() -> Job | None:
    """The clustering that this session asked for last and has not shown yet."""
    return jobs().get(st.session_state.get(_ASKED, ""))


def start(collection: Collection, store: LensStore, cell: Cell, settings: ClusterSettings) -> Job:
    """Cluster the pass's images by the cell; a clustering that was made before is reopened."""
    key = st.session_state[_ASKED] = _job_key(store, cell, settings)
    for other in jobs().active():
        if other.title == _AHEAD and other.key != key:
            other.cancel()
    job = _submit(collection, store, cell, settings, title=_TITLE)
    job.title = _TITLE  # also of one that was begun ahead
    return job


def begin_ahead(
    collection: Collection, store: LensStore, cell: Cell, settings: ClusterSettings
) -> None:
    """Cluster while the user still looks at the heatmap; `start` goes on with it.

    Nothing waits for it: another clustering ends it.
    """
    is_new = jobs().get(_job_key(store, cell, settings)) is None
    if is_new and settings.representation == "vocabulary":
        _submit(collection, store, cell, settings, title=_AHEAD)


def _submit(
    collection: Collection, store: LensStore, cell: Cell, settings: ClusterSettings, *, title: str
) -> Job:
    layer, position = cell

    def work(job: Job) -> Clustering:
        hidden = None
        if settings.representation == "hidden":
            from esmc_core.extract import run_hidden_pass

            job.at("loading the model")
            hidden = run_hidden_pass(
                models().get(store.spec.model),
                store,
                workspace().image_opener(collection),
                layer=layer,
                position=position,
                progress=job.progress,
                should_stop=job.should_stop,
            )
        with projection().resting():
            return workspace().cluster(
                store,
                settings,
                layer=layer,
                position=position,
                hidden=hidden,
                progress=job.progress,
                should_stop=job.should_stop,
            )

    lane = "device" if settings.representation == "hidden" else "clustering"
    return jobs().submit(_job_key(store, cell, settings), work, title=title, lane=lane)


def is_asked(store: LensStore, cell: Cell, settings: ClusterSettings) -> bool:
    """Whether just this was asked for last, be it under way, stopped or failed."""
    return st.session_state.get(_ASKED) == _job_key(store, cell, settings)


def shown(store: LensStore) -> Clustering | None:
    """The clustering to show: the one that has just been made, else that of the place."""
    job = asked()
    if job is not None and job.state == "done":
        place.go(clusters=job.result.key)
        del st.session_state[_ASKED]
    if not place.here().clusters:
        return None
    try:
        return workspace().open_clustering(store, place.here().clusters)
    except EsmcError:
        place.go(clusters="")
        return None


def _job_key(store: LensStore, cell: Cell, settings: ClusterSettings) -> str:
    return f"clustering/{store.key}/{cell}/{dataclasses.astuple(settings)}"
