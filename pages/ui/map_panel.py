"""The UMAP of the pictures."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.images import Collection
from esmc_core.jobs import Job
from esmc_core.lens_store import LensStore
from pages.ui import selection
from pages.ui.addresses import card_url
from pages.ui.components.scatter import ScatterEvent, scatter
from pages.ui.progress import show_job
from pages.ui.resources import jobs, projection, workspace

HEIGHT_PX = 560


def map_panel(collection: Collection, store: LensStore, found: Clustering) -> int | None:
    """Draw the map once it is laid out; return the image that was clicked."""
    points = workspace().find_layout(store, found)
    if points is None:
        job = _job(store, found)
        show_job(job.key)
        if job.is_active:
            st.skeleton(height=HEIGHT_PX - 60)
        elif job.result is None:
            st.button("Lay out the map", on_click=_start, args=(store, found))
        points = job.result
    return None if points is None else _draw(collection, found, points)


def _job(store: LensStore, found: Clustering) -> Job:
    """The job that lays out this map; one that failed or was stopped is not begun again."""
    key = _job_key(store, found)
    if jobs().get(key) is None:
        _start(store, found)
    job = jobs().get(key)
    assert job is not None
    return job


def _start(store: LensStore, found: Clustering) -> None:
    def work(job: Job) -> np.ndarray:
        progress = job.at("finding which pictures are alike, and placing them")
        project = partial(projection().project, progress=progress, should_stop=job.should_stop)
        return workspace().lay_out(store, found, project)

    jobs().submit(_job_key(store, found), work, title="Laying out the map", lane="map")


def _job_key(store: LensStore, found: Clustering) -> str:
    return f"map/{store.key}/{workspace().layout_key(found)}"


def _draw(collection: Collection, found: Clustering, points: np.ndarray) -> int | None:
    chosen = selection.current(found)
    event = scatter(
        points[:, 0],
        points[:, 1],
        cluster=found.labels,
        colours=found.colours,
        names=found.names,
        card_url=card_url(collection.key),
        selected=None if chosen is None else selection.images(found),
        height=HEIGHT_PX,
        key="map",
        on_event=lambda event: _act(found, event),
    )
    return event.point if event is not None and event.kind == "open" else None


def _act(found: Clustering, event: ScatterEvent) -> None:
    if event.kind == "select":
        selection.select_images(found, event.points)
    elif event.kind == "clear":
        selection.clear()
