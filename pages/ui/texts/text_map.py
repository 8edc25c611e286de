"""The UMAP of the texts, one for each embedding of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.jobs import Job
from pages.ui.addresses import text_card_url
from pages.ui.components.scatter import ScatterEvent, scatter
from pages.ui.progress import show_job
from pages.ui.resources import jobs, projection
from pages.ui.texts import steps

if TYPE_CHECKING:
    from esmc_core.texts.study import Study


def layout_of(study: Study, round: str, *, height: int) -> np.ndarray | None:
    """(n_texts, 2) the map after a round; until it is laid out, its progress is drawn."""
    points = study.find_layout(round)
    if points is not None:
        return points
    key = steps.key_of_step(study, "map", round)
    if jobs().get(key) is None:
        _start(study, round, key)
    job = show_job(key)
    assert job is not None
    if job.is_active:
        st.skeleton(height=height - 60)
    elif job.result is None:
        st.button(
            "Lay out the map", key=f"lay-out-{round}", on_click=_start, args=(study, round, key)
        )
    return job.result


def draw_map(
    study: Study,
    found: Clustering,
    points: np.ndarray,
    *,
    key: str,
    height: int,
    colours: Sequence[str] | None = None,
    selected: Sequence[int] | np.ndarray | None = None,
    legend: bool = True,
    label: str = "Map of the texts",
    on_event: Callable[[ScatterEvent], None] | None = None,
) -> int | None:
    """Draw the map, coloured by cluster; the text that was clicked."""
    event = scatter(
        points[:, 0],
        points[:, 1],
        cluster=found.labels,
        colours=found.colours if colours is None else colours,
        names=found.names,
        card_url=text_card_url(study.collection.key),
        selected=selected,
        height=height,
        label=label,
        noun="text",
        legend=legend,
        key=key,
        on_event=on_event,
    )
    return event.point if event is not None and event.kind == "open" else None


def _start(study: Study, round: str, key: str) -> None:
    def work(job: Job) -> np.ndarray:
        progress = job.at("finding which texts are alike, and placing them")
        project = partial(projection().project, progress=progress, should_stop=job.should_stop)
        return study.lay_out(project, round=round)

    jobs().submit(key, work, title="Laying out the map", lane="map")
