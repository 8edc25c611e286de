"""Comparing the embeddings before and after a round, in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from esmc_core.jobs import Job
from pages.ui.progress import show_job
from pages.ui.resources import jobs
from pages.ui.texts import steps
from pages.ui.texts.opened import labels_of

if TYPE_CHECKING:
    from esmc_core.texts.comparison import Comparison
    from esmc_core.texts.rounds import Round
    from esmc_core.texts.study import Study


def compared(study: Study, made: Round) -> Comparison | None:
    """What the round changed; until that is known, its progress is drawn."""
    from esmc_core.texts.granularity import usual_count

    n_clusters = usual_count(study.collection.n_texts)
    key = steps.key_of_step(study, "compare", made.key, n_clusters)
    if jobs().get(key) is None:
        _start(study, made, n_clusters, key)
    job = show_job(key)
    if job is not None and not job.is_active and job.result is None:
        st.button("Compare again", on_click=_start, args=(study, made, n_clusters, key))
    return None if job is None else job.result


def _start(study: Study, made: Round, n_clusters: int, key: str) -> None:
    labels = labels_of(study.collection)

    def work(job: Job) -> Comparison:
        from esmc_core.texts.comparison import compare

        job.at("loading the embedder")
        stop = job.should_stop
        embeddings = [
            np.asarray(study.embeddings(round, progress=job.progress, should_stop=stop))
            for round in (made.base, made.key)
        ]
        before, after = (
            study.cluster(n_clusters, round=round, stage=job.at, should_stop=stop)
            for round in (made.base, made.key)
        )
        progress = job.at("comparing the neighbours")
        return compare(
            before, after, *embeddings, labels=labels, progress=progress, should_stop=stop
        )

    jobs().submit(key, work, title="Comparing", lane=steps.LANE)
