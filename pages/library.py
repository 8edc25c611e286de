"""All collections, their passes and their clusterings: reopen, rename, delete."""

from functools import partial

import streamlit as st

from esmc_core.cluster.clustering import Clustering, ClusterSettings
from esmc_core.images.collection import CollectionSummary
from esmc_core.lens_store import LensStore
from pages.ui import place
from pages.ui.deleting import delete
from pages.ui.guard import escape
from pages.ui.lens_views import cell_name
from pages.ui.navigation import nothing_here, switch
from pages.ui.passes import job_key
from pages.ui.progress import show_job
from pages.ui.resources import jobs, workspace
from pages.ui.texts.shelf import texts_section
from pages.ui.wording import counted, shortened


def main() -> None:
    st.title("Library")
    st.caption(f"Everything lies in {workspace().config.home}")
    summaries = workspace().library.list()
    if not summaries:
        if texts_section():
            return
        nothing_here("There are no collections yet.", go_to="images", label="Add pictures")
    for summary in summaries:
        with st.container(border=True):
            collection_card(summary)
    texts_section()


def collection_card(summary: CollectionSummary) -> None:
    """One collection with what was made of it."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        st.subheader(escape(summary.name))
        size = f"{summary.n_bytes / 1e6:,.1f} MB"
        st.caption(f"{summary.n_images:,} pictures · {summary.created[:10]} · {size}")
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        if not summary.damaged and st.button("Open", key=f"open-{summary.key}", type="primary"):
            place.go(collection=summary.key)
            switch("images")
        if not summary.damaged:
            with st.popover("Rename", key=f"rename-{summary.key}"):
                rename(summary)
        delete(
            f"Delete “{summary.name}” with its passes and clusterings? Pictures that lie in your "
            "own folders stay there.",
            key=summary.key,
            action=partial(delete_collection, summary.key),
        )
    if not summary.damaged:
        passes(summary.key)


def passes(collection: str) -> None:
    """The criteria that were asked of a collection, each with its clusterings."""
    drawn = set()
    listed = workspace().list_passes(collection)
    stores = [workspace().open_pass(collection, made.key) for made in listed]
    labels = [pass_label(store) for store in stores]
    for made, store, label in zip(listed, stores, labels, strict=True):
        if labels.count(label) > 1:  # the model has changed under its name
            label += f" · weights {store.spec.fingerprint[:6]}"
        if made.n_done < made.n_images:
            label += f" · {made.n_done:,} done"
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(escape(label), key=f"pass-{made.key}", icon=":material/grid_on:"):
                place.go(collection=collection, lens=made.key)
                switch("criterion")
            delete(
                f"Delete the pass “{made.criterion}” and its clusterings?",
                key=made.key,
                action=partial(delete_pass, collection, made.key),
            )
        job = jobs().get(job_key(store))
        if job is not None and job.is_active and job.id not in drawn:  # one job, many criteria
            drawn.add(job.id)
            show_job(job.key)
        for found in workspace().list_clusterings(store):
            clustering_row(store, found)
    for key in workspace().damaged_passes(collection):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("A pass that cannot be read any more")
            action = partial(delete_pass, collection, key)
            delete("Delete the damaged pass?", key=key, action=action)


def pass_label(store: LensStore) -> str:
    """What was asked of which model."""
    raw = " · raw lens" if store.spec.lens == "raw" else ""
    return f"{store.spec.criterion} · {store.spec.model}{raw}"


def clustering_row(store: LensStore, found: Clustering) -> None:
    """One clustering: open or delete it."""
    source = found.source
    with st.container(horizontal=True, vertical_alignment="center"):
        st.space("medium")
        names = ", ".join(found.names)
        label = f"{counted(found.n_clusters, 'cluster')}: {names}"
        if st.button(
            escape(f"{shortened(label)} · {cell_name(store, (source.layer, source.position))}"),
            key=f"clusters-{found.key}",
            icon=":material/bubble_chart:",
            help=settings_words(found.settings),
        ):
            cell = f"{source.layer}.{source.position}"
            place.go(collection=store.spec.collection, lens=store.key)
            place.go(cell=cell, clusters=found.key)
            switch("clusters")
        delete(
            f"Delete the clustering {label}?",
            key=found.key,
            action=partial(delete_clustering, store, found.key),
        )


def settings_words(settings: ClusterSettings) -> str:
    """The settings of a clustering in a line, by which like ones are told apart."""
    power = {"fourth_root": "⁴√p", "hellinger": "√p", "euclidean": "p"}[settings.geometry]
    parts = [
        "hidden state" if settings.representation == "hidden" else f"words, {power}",
        f"head with α = {settings.alpha:g}" if settings.use_head else "K-means alone",
        f"seed {settings.seed}",
    ]
    return " · ".join(parts)


def rename(summary: CollectionSummary) -> None:
    """The form that renames a collection."""
    name = st.text_input("Name", summary.name, key=f"name-{summary.key}", max_chars=80)
    if st.button("Save", key=f"save-{summary.key}", type="primary"):
        workspace().library.rename(summary.key, name)
        st.rerun()


def delete_collection(key: str) -> None:
    """Delete a collection and leave it if it is open."""
    workspace().library.delete(key)
    if place.here().collection == key:
        place.go(collection="")


def delete_clustering(store: LensStore, key: str) -> None:
    """Delete a clustering and leave it if it is open."""
    workspace().delete_clustering(store, key)
    if place.here().clusters == key:
        place.go(clusters="")


def delete_pass(collection: str, key: str) -> None:
    """Delete a pass and leave it if it is open."""
    workspace().delete_pass(collection, key)
    if place.here().lens == key:
        place.go(lens="")


main()
