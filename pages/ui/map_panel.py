"""The UMAP of the pictures."""

from __future__ import annotations

import numpy as np
import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.images import Collection
from esmc_core.jobs import Job
from esmc_core.lens_store import LensStore
from pages.ui import selection
from pages.ui.addresses import thumbnail_url
from pages.ui.components.scatter import ScatterEvent, scatter
from pages.ui.progress import show_job
from pages.ui.resources import jobs, projection, workspace

HEIGHT_PX = 560


def map_panel(collection: Collection, store: LensStore, found: Clustering) -> int | None:
    """Draw the map once it is laid out; return the image that was clicked."""
    points = workspace().find_layout(store, found)
    if points is None:
        job = _start(store, found)
        if job.is_active:
            show_job(job.key)
            st.skeleton(height=HEIGHT_PX - 60)
            return None
        show_job(job.key)
        points = job.result
        if points is None:
            return None
    return _draw(collection, found, points)


def _start(store: LensStore, found: Clustering) -> Job:
    key = f"map/{store.key}/{workspace().layout_key(found)}"
    earlier = jobs().get(key)
    if earlier is not None and not earlier.is_active and earlier.error:
        return earlier
    return jobs().submit(
        key,
        lambda job: workspace().lay_out(store, found, projection().project),
        title="Laying out the map",
        lane="map",
    )


def _draw(collection: Collection, found: Clustering, points: np.ndarray) -> int | None:
    chosen = selection.current(found)
    event = scatter(
        points[:, 0],
        points[:, 1],
        cluster=found.labels.tolist(),
        colours=found.colours,
        names=found.names,
        thumbnails=[picture.digest for picture in collection.pictures],
        thumbnail_url=thumbnail_url("{}"),
        titles=[picture.file for picture in collection.pictures],
        selected=None if chosen is None else selection.images(found).tolist(),
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
