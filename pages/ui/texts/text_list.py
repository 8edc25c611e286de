"""Texts as a list that can be searched, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.texts.collection import TextCollection
from pages.ui.gallery_page import page_of
from pages.ui.guard import escape
from pages.ui.wording import counted

_WIDE = st.column_config.TextColumn(width="large")
_NUMBER = st.column_config.NumberColumn(width=70, alignment="left")


def text_list(
    collection: TextCollection,
    *,
    key: str,
    texts: Sequence[int] | np.ndarray | None = None,
    found: Clustering | None = None,
) -> None:
    """Draw the list under a box to search in it.

    Args:
        texts: numbers of those that are listed, in their order; None for all.
        found: whose clusters stand beside the texts.
    """
    numbers = np.arange(collection.n_texts) if texts is None else np.asarray(texts, dtype=np.int64)
    words = st.text_input(
        "Search",
        key=f"search-{key}",
        placeholder="Search in these texts",
        icon=":material/search:",
        label_visibility="collapsed",
        persist_state="session",
    )
    if words.strip():
        sought = words.strip().casefold()
        numbers = np.array([i for i in numbers if sought in collection.texts[i].casefold()], int)
        st.caption(f"{counted(len(numbers), 'text')} with “{escape(words.strip())}”")
    shown = np.asarray(page_of(numbers, key=f"page-{key}-{words}"), dtype=np.int64)
    st.dataframe(
        _table(collection, shown, found),
        hide_index=True,
        height=_height(len(shown)),
        column_config={"Row": _NUMBER, "Text": _WIDE},
    )


def _table(
    collection: TextCollection, numbers: np.ndarray, found: Clustering | None
) -> pd.DataFrame:
    columns: dict[str, object] = {"Row": collection.first_rows[numbers] + 1}
    columns["Text"] = [collection.texts[i] for i in numbers]
    if found is not None:
        names = found.names
        columns["Cluster"] = [names[found.labels[i]] for i in numbers]
        columns["Confidence"] = found.confidence[numbers].round(2)
    return pd.DataFrame(columns)


def _height(n_rows: int) -> int:
    return min(560, 38 + 35 * max(n_rows, 1))
