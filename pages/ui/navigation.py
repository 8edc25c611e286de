"""The pages, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from pages.ui import place

FOLDER = Path(__file__).resolve().parents[1]
TITLES = {
    "images": "Images",
    "criterion": "Criterion",
    "clusters": "Clusters",
    "texts": "Texts",
    "questions": "Questions",
    "text_clusters": "Text clusters",
    "library": "Library",
    "settings": "Settings",
}


def page(name: str) -> Any:
    """The page of that name; the first one opens at the bare address."""
    first = next(iter(TITLES))
    return st.Page(FOLDER / f"{name}.py", title=TITLES[name], default=name == first)


def switch(name: str) -> NoReturn:
    """Show another page; with the place in its address at once, so that Back is one step."""
    st.switch_page(page(name), query_params=place.parts())


def nothing_here(message: str, *, go_to: str, label: str) -> None:
    """An empty state: what is missing, and the one button that gets it; ends the run."""
    with st.container(border=True, horizontal_alignment="center", gap="medium"):
        st.space("small")
        st.markdown(message, text_alignment="center")
        if st.button(label, type="primary", icon=":material/arrow_forward:"):
            switch(go_to)
        st.space("small")
    st.stop()
