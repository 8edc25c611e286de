"""Deleting, with a question before it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.ui.guard import escape


def delete(question: str, *, key: str, action: Callable[[], None]) -> None:
    """A button that asks before something is lost."""
    with st.popover("Delete", key=f"delete-{key}"):
        st.markdown(escape(question))
        st.button("Delete", key=f"sure-{key}", type="primary", on_click=action)
