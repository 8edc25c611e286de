"""The heatmap with the chosen cell beside it and sample pictures below."""

from __future__ import annotations

import streamlit as st

from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from esmc_core.target import FLAT_BITS, Heatmap
from pages.ui import clustering_jobs, passes, place
from pages.ui.bars import token_bars
from pages.ui.cluster_controls import first_settings
from pages.ui.components.gallery import GalleryItem, gallery
from pages.ui.components.heatmap import heatmap as draw_heatmap
from pages.ui.guard import escape
from pages.ui.lens_views import Cell, cell_name, cell_words, image_words, scored, shown_tokens
from pages.ui.navigation import switch
from pages.ui.picture_dialog import show_picture
from pages.ui.progress import progress_slot, show_job
from pages.ui.score_choice import choose_score
from pages.ui.wording import counted

N_SAMPLES = 16
MIN_TO_WARN = 10


def explorer(collection: Collection, store: LensStore) -> None:
    """Everything below the criterion's form; it follows the pass while that runs."""
    with progress_slot():
        _progress(collection, store)
    score, keywords = choose_score(store)
    if store.n_done == 0:
        st.skeleton(height=420)
        return
    found = scored(store, score, keywords)
    cell = selected_cell(found, store)
    left, right = st.columns([5, 3], gap="large")
    with left:
        warn_flat(store, found)
        draw(store, found, cell)
        warn_cell(store, found, cell)
    with right:
        _chosen(store, found, cell)
    _samples(collection, store, cell)
    is_many = store.spec.n_images >= clustering_jobs.MANY
    if is_many and store.is_complete and cell == found.suggested:
        settings = first_settings(store, cell)
        clustering_jobs.begin_ahead(collection, store, cell, settings)


def _progress(collection: Collection, store: LensStore) -> None:
    job = show_job(passes.job_key(store))
    spec = store.spec
    if job and job.is_active:
        return
    if store.is_complete:
        asked = (
            f"“{spec.criterion}”: {counted(spec.n_images, 'picture')} looked at by {spec.model}."
        )
        st.caption(f"{escape(asked)} {job.note if job else ''}")
        return
    criteria = passes.begun_with(store)
    with st.container(horizontal=True, vertical_alignment="center"):
        done = f"{store.n_done:,} of {counted(spec.n_images, 'picture')} are done."
        others = ", ".join(f"“{escape(criterion)}”" for criterion in criteria[1:])
        st.markdown(f"{done} {others} will go on with it." if others else done)
        if st.button("Go on", type="primary"):
            passes.start(collection, criteria, model=spec.model, lens=spec.lens)
            st.rerun()


def selected_cell(found: Heatmap, store: LensStore) -> Cell:
    """The cell that the user chose, else the suggested one."""
    try:
        layer, position = map(int, place.here().cell.split("."))
    except ValueError:
        return found.suggested
    inside = 0 <= layer <= store.spec.n_layers and 0 <= position < store.spec.n_positions
    return (layer, position) if inside else found.suggested


def choose_cell(cell: Cell) -> None:
    """Make the cell the target."""
    place.go(cell=f"{cell[0]}.{cell[1]}")


def draw(store: LensStore, found: Heatmap, cell: Cell) -> None:
    """The heatmap with the chosen cell; a click chooses another."""
    draw_heatmap(
        found.values,
        tokens=shown_tokens(store),
        selected=cell,
        suggested=found.suggested,
        cell_tokens=cell_words(store),
        unit=found.unit,
        title=f"{found.score.capitalize()} · {counted(found.n_images, 'picture')}",
        content_span=(0, store.spec.n_criterion),
        key="heatmap",
        on_pick=choose_cell,
    )
    others = [i for i in range(store.spec.n_positions) if i not in found.candidates]
    brighter = [i for i in others if found.values[:, i].max() > found.values[found.suggested]]
    if brighter:
        tokens = [shown_tokens(store)[i].strip() for i in brighter]
        words = ", ".join(f"“{token}”" for token in dict.fromkeys(tokens))
        st.caption(
            escape(f"{words}: bright, but left out of the suggestion: ")
            + "such words often foretell the rest of the prompt alone. A click chooses one all "
            "the same."
        )


def _is_enough(store: LensStore, found: Heatmap) -> bool:
    return found.n_images >= min(MIN_TO_WARN, store.spec.n_images)


def warn_flat(store: LensStore, found: Heatmap) -> None:
    """Say that the model sees nothing of the criterion, where it does not."""
    if found.is_flat and _is_enough(store, found):
        st.warning(
            "**This model sees next to nothing to tell these pictures apart by this criterion.** "
            f"The best cell considered carries {found.best_bits:.2f} bits. Say it in other words, "
            "or choose another model in Settings.",
            icon=":material/visibility_off:",
        )


def warn_cell(store: LensStore, found: Heatmap, cell: Cell) -> None:
    """Say that the chosen cell is a bad one, where others are better."""
    if not found.is_flat and found.bits[cell] < FLAT_BITS and _is_enough(store, found):
        st.warning(
            "**The chosen cell hardly tells the pictures apart.** "
            f"It carries {found.bits[cell]:.2f} bits, others up to {found.best_bits:.2f}.",
            icon=":material/visibility_off:",
        )


def _chosen(store: LensStore, found: Heatmap, cell: Cell) -> None:
    layer, position = cell
    tokens = shown_tokens(store)
    where = cell_name(store, cell)
    st.subheader(escape(where[0].upper() + where[1:]))
    value = found.values[layer, position]
    star = " · suggested ★" if cell == found.suggested else ""
    st.caption(f"{found.score.capitalize()} {value:.2f} {found.unit}{star}")
    _select_boxes(store, cell, tokens)
    st.markdown("**Words here, over the pictures**")
    token_bars(cell_words(store)[layer][position])
    with st.container(horizontal=True):
        if st.button("Cluster by this cell", type="primary", icon=":material/arrow_forward:"):
            place.go(cell=f"{layer}.{position}")
            switch("clusters")
        if cell != found.suggested:
            st.button("Back to the suggestion", on_click=place.go, kwargs={"cell": ""})


def _select_boxes(store: LensStore, cell: Cell, tokens: list[str]) -> None:
    """The same choice for the keyboard and for screen readers."""
    st.session_state["pick_layer"], st.session_state["pick_position"] = cell

    def picked() -> None:
        choose_cell((st.session_state["pick_layer"], st.session_state["pick_position"]))

    left, right = st.columns(2)
    left.selectbox("Layer", range(store.spec.n_layers + 1), key="pick_layer", on_change=picked)
    right.selectbox(
        "Prompt token",
        range(store.spec.n_positions),
        format_func=lambda i: f"{i} · {tokens[i].strip() or '␣'}",
        key="pick_position",
        on_change=picked,
    )


def _samples(collection: Collection, store: LensStore, cell: Cell) -> None:
    images = store.sample(N_SAMPLES)
    words = image_words(store, cell, images)
    st.markdown("**What it says of single pictures at this cell**")
    items: list[GalleryItem] = [
        {
            "id": int(image),
            "digest": collection.pictures[image].digest,
            "title": collection.pictures[image].file,
            "tokens": words[row],
        }
        for row, image in enumerate(images)
    ]
    opened = gallery(items, layout="strip", size=112, label="Sample pictures", key="samples")
    if opened is not None:
        show_picture(collection, int(opened), store=store, cell=cell)
