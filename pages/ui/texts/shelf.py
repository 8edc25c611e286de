"""The collections of texts in the library, with the perspectives on them."""

from __future__ import annotations

from functools import partial

import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.errors import EsmcError
from esmc_core.texts.library import MAX_NAME, TextSummary
from esmc_core.texts.study import Study
from pages.ui import place
from pages.ui.deleting import delete
from pages.ui.guard import escape
from pages.ui.navigation import switch
from pages.ui.resources import text_library, text_workspace
from pages.ui.texts.opened import load_texts
from pages.ui.wording import counted, shortened


def texts_section() -> bool:
    """All collections of texts; False where there are none."""
    summaries = text_library().list()
    if summaries:
        st.subheader("Texts")
    for summary in summaries:
        with st.container(border=True):
            _card(summary)
    return bool(summaries)


def _card(summary: TextSummary) -> None:
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        st.subheader(escape(summary.name))
        rows = counted(summary.n_rows, "row")
        st.caption(f"{counted(summary.n_texts, 'text')} · {rows} · {summary.created[:10]}")
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Open", key=f"open-{summary.key}", type="primary"):
            place.go(texts=summary.key)
            switch("texts")
        with st.popover("Rename", key=f"rename-{summary.key}"):
            name = st.text_input(
                "Name", summary.name, key=f"name-{summary.key}", max_chars=MAX_NAME
            )
            if st.button("Save", key=f"save-{summary.key}", type="primary"):
                text_library().rename(summary.key, name)
                st.rerun()
        delete(
            f"Delete “{summary.name}” with its perspectives and clusters? Answers are kept, and "
            "found again for the same texts.",
            key=summary.key,
            action=partial(_delete, summary.key),
        )
    _studies(summary.key)


def _studies(key: str) -> None:
    try:
        studies = text_workspace().list_studies(load_texts(key))
    except EsmcError as error:
        st.caption(escape(error.message))
        return
    for study in studies:
        n_rounds = len(study.rounds.list())
        tuned = f" · {counted(n_rounds, 'round')} of tuning" if n_rounds else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            size = counted(study.settings.n_triplets, "question")
            label = f"{study.perspective} · {study.settings.embedder} · {size}{tuned}"
            if st.button(escape(label), key=f"study-{study.key}", icon=":material/quiz:"):
                place.go(texts=key, study=study.key)
                switch("questions")
            delete(
                f"Delete the perspective “{study.perspective}” with its rounds and clusters?",
                key=study.key,
                action=partial(_delete_study, key, study.key),
            )
        for found in study.list_clusterings():
            _clustering(study, found)


def _clustering(study: Study, found: Clustering) -> None:
    place_of = {"texts": study.collection.key, "study": study.key, "groups": found.key}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.space("medium")
        shown = shortened(f"{counted(found.n_clusters, 'cluster')}: {'; '.join(found.names)}")
        key = f"groups-{study.key}-{found.key}"
        if st.button(escape(shown), key=key, icon=":material/bubble_chart:"):
            for name, value in place_of.items():
                place.go(**{name: value})
            switch("text_clusters")
        delete(
            f"Delete the clustering {shown}?",
            key=key,
            action=partial(_delete_clustering, study, found.key),
        )


def _delete_clustering(study: Study, key: str) -> None:
    study.delete_clustering(key)
    if place.here().groups == key:
        place.go(groups="")


def _delete(key: str) -> None:
    text_library().delete(key)
    if place.here().texts == key:
        place.go(texts="")


def _delete_study(texts: str, key: str) -> None:
    text_workspace().open_study(load_texts(texts), key).delete()
    if place.here().study == key:
        place.go(study="")
