"""One step of the browser's history for one click, wherever the place lies in the address."""

from __future__ import annotations

import streamlit as st

from pages.ui.components.assets import read_script

_mount = st.components.v2.component("esmc_history", js=read_script("history"))


def one_step() -> None:
    """Make Back and Forward leave out the addresses that have no place in them yet."""
    _mount(key="history")
