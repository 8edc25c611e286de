"""The map, one card a cluster, and the pictures; each filters the others."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from pages.ui import selection
from pages.ui.addresses import thumbnail_url
from pages.ui.bars import bars_html
from pages.ui.components.gallery import GalleryItem, gallery
from pages.ui.downloads import csv_button, downloads
from pages.ui.gallery_page import page_of
from pages.ui.guard import escape
from pages.ui.map_panel import map_panel
from pages.ui.picture_dialog import show_picture
from pages.ui.quality import quality
from pages.ui.resources import workspace
from pages.ui.wording import counted

N_PREVIEW = 10
LEAST_SHOWN = 0.01


def results(collection: Collection, store: LensStore, found: Clustering) -> None:
    """Everything below the controls."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(summary(found), width="stretch")
        quality(collection, store, found)
        downloads(collection, store, found)
    left, right = st.columns([11, 9], gap="medium")
    with left:
        opened = map_panel(collection, store, found)
    with right, st.container(height=560, border=False):
        for cluster in range(found.n_clusters):
            _card(collection, store, found, cluster)
    picked = _pictures(collection, store, found)
    opened = opened if picked is None else picked
    if opened is not None:
        _open(collection, store, found, opened)


def summary(found: Clustering) -> str:
    """What was done, in a line."""
    settings = found.settings
    parts = [f"**{counted(found.n_clusters, 'cluster')}**"]
    parts.append(
        f"head trained on α = {settings.alpha:g}" if settings.use_head else "K-means alone"
    )
    parts.append("hidden state" if settings.representation == "hidden" else "words of the lens")
    return " · ".join([*parts, f"seed {settings.seed}"])


def _card(collection: Collection, store: LensStore, found: Clustering, cluster: int) -> None:
    name = found.names[cluster]
    members = found.members(cluster)
    is_shown = selection.cluster(found) == cluster
    with st.container(border=True, key=f"card-{cluster}", gap="xsmall"):
        st.html(_card_html(collection, found, cluster, members))
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Show all" if is_shown else "Show",
                key=f"show-{cluster}",
                type="primary" if is_shown else "secondary",
                help=f"Only the pictures of {escape(name)}",
                on_click=selection.toggle_cluster,
                args=(found, cluster),
            )
            with st.popover("Rename", key=f"rename-{cluster}", on_change="rerun"):
                _rename_form(store, found, cluster)


def _card_html(collection: Collection, found: Clustering, cluster: int, members: np.ndarray) -> str:
    name, colour = html.escape(found.names[cluster]), found.colours[cluster]
    tokens = [(token.text, token.probability) for token in found.dominant_tokens[cluster][:4]]
    tokens = [(text, share) for text, share in tokens if share >= LEAST_SHOWN]
    pictures = "".join(
        f'<img src="{thumbnail_url(collection.pictures[i].digest)}" alt="" loading="lazy">'
        for i in members[:N_PREVIEW]
    )
    share = 100 * len(members) / found.n_images
    return (
        f'<div class="esmc-card"><div class="esmc-card-head">'
        f'<span class="swatch" style="background:{colour}"></span><strong>{name}</strong>'
        f'<span class="count">{counted(len(members), "picture")} · {share:.0f}%</span></div>'
        f'<div class="esmc-card-body">{bars_html(tokens, colour=colour)}'
        f'<div class="esmc-card-pictures">{pictures}</div></div></div>'
    )


def _rename_form(store: LensStore, found: Clustering, cluster: int) -> None:
    name = found.names[cluster]
    # A value put into the session's state would not reach a box in a closed popover.
    key = f"name-{found.key}-{cluster}-{name}"

    def rename(name: str) -> None:
        workspace().rename_cluster(store, found.key, cluster, name)
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


def _pictures(collection: Collection, store: LensStore, found: Clustering) -> int | None:
    images = selection.images(found)
    names, colours = found.names, found.colours
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(escape(selection.describe(found)))
        if selection.current(found) is not None:
            st.button("Show all pictures", on_click=selection.clear, key="clear-selection")
            csv_button(
                "CSV of these",
                f"{collection.name} {store.spec.criterion} selected",
                lambda: workspace().table(collection, store, found, images=images),
                help="The rows of these pictures alone.",
            )
    numbers = page_of(images, key=f"pictures-page-{found.key}-{selection.stamp(found)}")
    items: list[GalleryItem] = [
        {
            "id": int(i),
            "digest": collection.pictures[i].digest,
            "title": f"{collection.pictures[i].file} · {names[found.labels[i]]} "
            f"{found.confidence[i]:.2f}",
            "colour": colours[found.labels[i]],
        }
        for i in numbers
    ]
    opened = gallery(items, size=112, label="Pictures, most confident first", key="pictures")
    return None if opened is None else int(opened)


def _open(collection: Collection, store: LensStore, found: Clustering, image: int) -> None:
    cluster = int(found.labels[image])
    note = (
        f"In **{escape(found.names[cluster])}** with confidence {found.confidence[image]:.2f}, "
        f"{found.distances[image]:.2f} from its centre."
    )
    cell = (found.source.layer, found.source.position)
    show_picture(collection, image, store=store, cell=cell, note=note)
