"""Names of clusters: by their terms, by an LLM, or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.jobs import Job
from pages.ui import endpoint
from pages.ui.guard import escape
from pages.ui.progress import show_job
from pages.ui.resources import jobs
from pages.ui.texts import steps

if TYPE_CHECKING:
    from esmc_core.texts.study import Study


def naming_button(study: Study, found: Clustering) -> None:
    """A popover with the ways to name all clusters at once; only where an LLM is set."""
    asked = endpoint.current()
    key = steps.key_of_step(study, "name", found.key)
    if asked is None:
        return
    with st.popover("Names", icon=":material/label:"):
        st.caption(
            "By the LLM: of each cluster its terms and eight of its texts are sent. Names that you "
            "have given stay."
        )
        job = show_job(key)
        if job is None or not job.is_active:
            if st.button("Name by the LLM", type="primary"):
                _start(study, found, key)
                st.rerun()
            st.button("Name by the terms", on_click=_name_by_terms, args=(study, found))


def rename_form(study: Study, found: Clustering, cluster: int) -> None:
    """A name of one's own, and the way back."""
    name = found.names[cluster]
    # A value put into the session's state would not reach a box in a closed popover.
    key = f"name-{found.key}-{cluster}-{name}"

    def rename(name: str) -> None:
        study.rename_cluster(found.key, cluster, name)
        st.session_state[f"rename-{cluster}"] = False

    st.text_input(
        "Name", name, key=key, max_chars=80, on_change=lambda: rename(st.session_state[key])
    )
    with st.container(horizontal=True):
        st.button(
            "Save",
            key=f"save-{cluster}",
            type="primary",
            on_click=lambda: rename(st.session_state[key]),
        )
        if cluster in found.user_names:
            st.button(
                f"Back to “{escape(found.automatic_names[cluster])}”",
                key=f"undo-{cluster}",
                on_click=rename,
                args=("",),
            )


def _start(study: Study, found: Clustering, key: str) -> None:
    asked = endpoint.current()
    assert asked is not None  # as the button is only there with one

    def work(job: Job) -> None:
        from esmc_core.texts.chat import Chat
        from esmc_core.texts.clustering import with_names
        from esmc_core.texts.llm_names import name_by_llm

        chat = Chat(asked)
        try:
            names = name_by_llm(
                found,
                study.collection.texts,
                study.perspective,
                chat,
                progress=job.progress,
                should_stop=job.should_stop,
            )
        finally:
            chat.close()
        study.keep_clustering(with_names(study.open_clustering(found.key), names))

    jobs().submit(key, work, title="Naming", lane="asking")


def _name_by_terms(study: Study, found: Clustering) -> None:
    from esmc_core.texts.clustering import with_names
    from esmc_core.texts.terms import term_names

    kept = study.open_clustering(found.key)
    study.keep_clustering(with_names(kept, term_names(kept.dominant_tokens)))
