"""One entry of the browser's history for each page, however often its address changes."""

from __future__ import annotations

import streamlit as st

from pages.ui.components.assets import read_script

_mount = st.components.v2.component("esmc_history", js=read_script("history"))


def one_step() -> None:
    """Make Back and Forward go from page to page."""
    _mount(key="history")
