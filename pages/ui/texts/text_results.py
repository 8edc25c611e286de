"""The map of the texts, one card a cluster, and the texts; each filters the others."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.texts.collection import TextCollection
from pages.ui import selection
from pages.ui.bars import bars_html
from pages.ui.components.scatter import ScatterEvent
from pages.ui.downloads import csv_button, table_buttons
from pages.ui.gallery_page import page_of
from pages.ui.guard import escape
from pages.ui.texts.naming import naming_button, rename_form
from pages.ui.texts.text_list import text_list
from pages.ui.texts.text_map import draw_map, layout_of
from pages.ui.texts.text_quality import text_quality
from pages.ui.wording import counted, shortened

if TYPE_CHECKING:
    from esmc_core.texts.study import Study

HEIGHT_PX = 560
N_CARDS = 30
N_PREVIEW = 3
N_TERMS = 5
N_CHARACTERS = 110


def results(study: Study, found: Clustering) -> None:
    """Everything below the controls."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(summary(study, found), width="stretch")
        naming_button(study, found)
        text_quality(study.collection, found)
        table_buttons(
            f"{study.collection.name} {study.perspective}",
            lambda: study.table(found),
            help="One row a row of your file, in its order: cluster, name, confidence, distance, "
            "settings.",
        )
    left, right = st.columns([11, 9], gap="medium")
    with left:
        opened = _map(study, found)
    with right, st.container(height=HEIGHT_PX, border=False):
        st.caption("Words that mark a cluster, each with the share of its texts that hold it.")
        shown = page_of(range(found.n_clusters), key=f"cards-page-{found.key}", page_size=N_CARDS)
        for cluster in shown:
            _card(study, found, int(cluster))
    _texts(study, found)
    if opened is not None:
        show_text(study.collection, found, opened)


def summary(study: Study, found: Clustering) -> str:
    """What was done, in a line."""
    round = study.round_of(found)
    keys = [made.key for made in study.rounds.list()]
    way = ["embedder as it is", "K-means"]
    if round:
        way = [f"embedder of round {keys.index(round) + 1}", "guided by the answers"]
    parts = [f"**{counted(found.n_clusters, 'cluster')}**", *way]
    return " · ".join([*parts, f"seed {found.settings.seed}"])


def show_text(collection: TextCollection, found: Clustering, number: int) -> None:
    """Open one text over the page."""
    cluster = int(found.labels[number])

    def body() -> None:
        st.text(collection.texts[number])
        st.caption(
            f"Row {collection.first_rows[number] + 1:,} · in {escape(found.names[cluster])} with "
            f"confidence {found.confidence[number]:.2f}"
        )

    st.dialog(escape(found.names[cluster]), width="large")(body)()


def _map(study: Study, found: Clustering) -> int | None:
    points = layout_of(study, study.round_of(found), height=HEIGHT_PX)
    if points is None:
        return None
    chosen = selection.current(found)
    return draw_map(
        study,
        found,
        points,
        key="text-map",
        height=HEIGHT_PX,
        selected=None if chosen is None else selection.images(found),
        on_event=lambda event: _act(found, event),
    )


def _act(found: Clustering, event: ScatterEvent) -> None:
    if event.kind == "select":
        selection.select_images(found, event.points)
    elif event.kind == "clear":
        selection.clear()


def _card(study: Study, found: Clustering, cluster: int) -> None:
    is_shown = selection.cluster(found) == cluster
    with st.container(border=True, key=f"text-card-{cluster}", gap="xsmall"):
        st.html(_card_html(study.collection, found, cluster))
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Show all" if is_shown else "Show",
                key=f"show-{cluster}",
                type="primary" if is_shown else "secondary",
                help=f"Only the texts of {escape(found.names[cluster])}",
                on_click=selection.toggle_cluster,
                args=(found, cluster),
            )
            with st.popover("Rename", key=f"rename-{cluster}", on_change="rerun"):
                rename_form(study, found, cluster)


def _card_html(collection: TextCollection, found: Clustering, cluster: int) -> str:
    name, colour = html.escape(found.names[cluster]), found.colours[cluster]
    members = found.members(cluster)
    tokens = found.dominant_tokens[cluster][:N_TERMS]
    bars = bars_html([(token.text, token.probability) for token in tokens], colour=colour)
    typical = "".join(
        f"<li>{html.escape(shortened(collection.texts[i], N_CHARACTERS))}</li>"
        for i in members[:N_PREVIEW]
    )
    share = 100 * len(members) / found.n_images
    return (
        f'<div class="esmc-card"><div class="esmc-card-head">'
        f'<span class="swatch" style="background:{colour}"></span><strong>{name}</strong>'
        f'<span class="count">{counted(len(members), "text")} · {share:.0f}%</span></div>'
        f'<div class="esmc-card-body words">{bars}<ul class="esmc-card-texts">{typical}</ul>'
        "</div></div>"
    )


def _texts(study: Study, found: Clustering) -> None:
    numbers: np.ndarray = selection.images(found)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(escape(selection.describe(found, "text")))
        if selection.current(found) is not None:
            st.button("Show all texts", on_click=selection.clear, key="clear-selection")
            csv_button(
                "CSV of these",
                f"{study.collection.name} {study.perspective} selected",
                lambda: study.table(found, texts=numbers),
                help="The rows of these texts alone.",
            )
    key = f"clustered-{found.key}-{selection.stamp(found)}"
    text_list(study.collection, key=key, texts=numbers, found=found)
