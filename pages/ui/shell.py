"""The frame around every page: title, navigation, and what an error looks like."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
# Otherwise Streamlit puts this folder into the path and takes it out again with every run of a
# page, and what another thread imports at that moment is not found.
if str(Path(__file__).parent) not in sys.path:
    sys.path.append(str(Path(__file__).parent))

from pages.ui import guard, navigation, place, style, warmth
from pages.ui.components import history


def main() -> None:
    """Draw the frame and run the page that the address asks for."""
    icon = ROOT / "assets" / "icon.png"
    st.set_page_config(page_title="ESMC Studio", page_icon=str(icon), layout="wide")
    st.logo(str(icon), size="medium")
    style.apply()
    history.one_step()
    pages = [navigation.page(name) for name in navigation.TITLES]
    current = st.navigation(pages, position="top")
    with guard.errors_shown():
        place.restore()
        current.run()
        place.remember()
    warmth.start()


if __name__ == "__main__":
    main()
