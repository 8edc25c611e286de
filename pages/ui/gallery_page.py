"""A long list of pictures, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

PAGE_SIZE = 200


def page_of(
    items: Sequence[int] | np.ndarray, *, key: str, page_size: int = PAGE_SIZE
) -> Sequence[int] | np.ndarray:
    """The image numbers of the page that the user turned to, under the page numbers."""
    n_pages = max(1, -(-len(items) // page_size))
    if n_pages == 1:
        return items
    number = min(st.session_state.get(key, 1), n_pages)
    start = (number - 1) * page_size
    with st.container(horizontal=True, vertical_alignment="center"):
        st.pagination(n_pages, key=key)
        st.caption(f"{start + 1:,}–{min(start + page_size, len(items)):,} of {len(items):,}")
    return items[start : start + page_size]
