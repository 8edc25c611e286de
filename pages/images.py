"""Step 1: the pictures."""

import pandas as pd
import streamlit as st

from esmc_core.images import Collection
from pages.ui import guard, place
from pages.ui.components.gallery import GalleryItem, gallery
from pages.ui.gallery_page import page_of
from pages.ui.intake import intake_panel, open_samples
from pages.ui.navigation import switch
from pages.ui.picture_dialog import show_picture
from pages.ui.resources import workspace
from pages.ui.wording import counted


def main() -> None:
    collection = place.open_collection()
    if collection is None:
        welcome()
    else:
        header(collection)
        not_read(collection)
        grid(collection)


def welcome() -> None:
    """The first thing a new user sees."""
    st.title("Sort pictures by what you ask of them")
    st.markdown(
        "Add pictures, say a criterion in words, such as *the color of the car is*, and see them "
        "fall into named groups. Everything stays on this computer."
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        intake_panel()
    with right, st.container(border=True):
        st.subheader("Just looking?")
        st.markdown("Try it on 96 pictures of toy objects in many colors and shapes.")
        if st.button("Open the samples", type="primary", icon=":material/photo_library:"):
            open_samples()
            st.rerun()
        earlier()


def earlier() -> None:
    """Collections that can be reopened."""
    summaries = [summary for summary in workspace().library.list() if not summary.damaged]
    if not summaries:
        return
    st.subheader("Open an earlier collection")
    for summary in summaries[:6]:
        label = f"{summary.name} · {summary.n_images:,} pictures"
        if st.button(label, key=f"open-{summary.key}", width="stretch"):
            place.go(collection=summary.key)
            st.rerun()


def header(collection: Collection) -> None:
    """The name, the counts, and the way on."""
    title, actions = st.columns([3, 2], vertical_alignment="bottom")
    with title:
        st.title(guard.escape(collection.name))
        counts = [(collection.n_images, "picture"), (len(collection.duplicates), "exact duplicate")]
        texts = [counted(n, noun) for n, noun in counts if n]
        texts += [f"{counted(len(collection.refusals), 'file')} not read"] * bool(
            collection.refusals
        )
        st.caption(" · ".join(texts))
    with actions, st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Other pictures", icon=":material/add_photo_alternate:"):
            place.go(collection="")
            st.rerun()
        if st.button("Type a criterion", type="primary", icon=":material/arrow_forward:"):
            switch("criterion")


def not_read(collection: Collection) -> None:
    """What was refused and what stood there twice, each with its reason."""
    if not (collection.refusals or collection.duplicates):
        return
    with st.expander("Files that were not read, and duplicates"):
        rows = [(refusal.file, refusal.reason) for refusal in collection.refusals]
        rows += [
            (duplicate.file, f"The same picture as {duplicate.of}")
            for duplicate in collection.duplicates
        ]
        st.dataframe(pd.DataFrame(rows, columns=["File", "Why"]), hide_index=True)


def grid(collection: Collection) -> None:
    """All pictures; one that is clicked opens large."""
    numbers = page_of(range(collection.n_images), key=f"images-page-{collection.key}")
    items: list[GalleryItem] = [
        {
            "id": int(i),
            "digest": collection.pictures[i].digest,
            "title": collection.pictures[i].file,
        }
        for i in numbers
    ]
    opened = gallery(items, size=120, label="Pictures of the collection", key="images-grid")
    if opened is not None:
        show_picture(collection, int(opened))


main()
