"""One picture, large."""

from __future__ import annotations

import streamlit as st

from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from pages.ui import guard
from pages.ui.bars import token_bars
from pages.ui.lens_views import image_words
from pages.ui.resources import workspace


def show_picture(
    collection: Collection,
    image: int,
    *,
    store: LensStore | None = None,
    cell: tuple[int, int] | None = None,
    note: str = "",
) -> None:
    """Open the picture over the page, with its own tokens at the cell if there is one."""
    dialog = st.dialog(guard.escape(collection.pictures[image].file), width="large")
    dialog(_picture)(collection, image, store, cell, note)


def _picture(
    collection: Collection,
    image: int,
    store: LensStore | None,
    cell: tuple[int, int] | None,
    note: str,
) -> None:
    picture = collection.pictures[image]
    with guard.errors_shown():
        left, right = st.columns([3, 2]) if store and cell else (st.container(), None)
        with left:
            st.image(workspace().library.open(picture), width="stretch")
            st.caption(f"{picture.width} × {picture.height} px · {picture.n_bytes / 1e3:,.0f} KB")
        if right and store and cell:
            with right:
                if note:
                    st.markdown(note)
                st.markdown("**What the model answers here**")
                token_bars(image_words(store, cell, [image], n_tokens=8)[0])
