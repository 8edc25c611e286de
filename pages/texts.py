"""Step 1 for texts: a file, and the column that holds them."""

import pandas as pd
import streamlit as st

from esmc_core.texts.collection import TextCollection
from pages.ui import guard, place
from pages.ui.navigation import switch
from pages.ui.resources import text_library
from pages.ui.texts.intake import intake_panel, open_samples
from pages.ui.texts.opened import open_texts
from pages.ui.texts.text_list import text_list
from pages.ui.wording import counted

N_TOLD = 1000


def main() -> None:
    collection = open_texts()
    if collection is None:
        welcome()
    else:
        header(collection)
        not_used(collection)
        text_list(collection, key=f"texts-{collection.key}")


def welcome() -> None:
    """The first thing a new user sees."""
    st.title("Sort texts by what you ask of them")
    st.markdown(
        "Add texts and say what they should be sorted by, such as their *intent*. Answer some "
        "questions, or let an LLM answer them, and the texts fall into named groups."
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        intake_panel()
    with right, st.container(border=True):
        st.subheader("Just looking?")
        st.markdown("Try it on 120 messages to a shop.")
        if st.button("Open the sample texts", type="primary", icon=":material/article:"):
            open_samples()
            st.rerun()
        earlier()


def earlier() -> None:
    """Collections that can be reopened."""
    summaries = text_library().list()
    if not summaries:
        return
    st.subheader("Open earlier texts")
    for summary in summaries[:6]:
        label = f"{guard.escape(summary.name)} · {counted(summary.n_texts, 'text')}"
        if st.button(label, key=f"open-{summary.key}", width="stretch"):
            place.go(texts=summary.key)
            st.rerun()


def header(collection: TextCollection) -> None:
    """The name, the counts, and the way on."""
    title, actions = st.columns([3, 2], vertical_alignment="bottom")
    with title:
        st.title(guard.escape(collection.name))
        told = [counted(collection.n_texts, "different text"), counted(collection.n_rows, "row")]
        told += [f"column “{guard.escape(collection.column)}”"]
        told += ["labels for evaluation"] * (text_library().labels(collection.key) is not None)
        st.caption(" · ".join(told))
    with actions, st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Other texts", icon=":material/note_add:"):
            place.go(texts="")
            st.rerun()
        if st.button("Ask about them", type="primary", icon=":material/arrow_forward:"):
            switch("questions")


def not_used(collection: TextCollection) -> None:
    """Rows that are empty, or that repeat another."""
    empty, repeats = collection.empty_rows, collection.duplicates
    if not (len(empty) or repeats):
        return
    told = [counted(len(empty), "empty row")] * bool(len(empty))
    told += [counted(len(repeats), "repeated row")] * bool(repeats)
    with st.expander(" and ".join(told)):
        rows = [(int(row) + 1, "", "Empty") for row in empty]
        rows += [
            (row + 1, collection.texts[collection.rows[row]], f"The same as row {original + 1}")
            for row, original in repeats
        ]
        table = pd.DataFrame(sorted(rows)[:N_TOLD], columns=["Row", "Text", "Why"])
        st.dataframe(table, hide_index=True)
        if len(rows) > N_TOLD:
            st.caption(f"The first {N_TOLD:,} of {len(rows):,}.")


main()
