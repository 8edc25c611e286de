"""A bar that follows a job by itself."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui.components.assets import read_script, read_style

_HTML = """
<div class="esmc progress">
  <span class="text" role="status"></span>
  <div role="progressbar" aria-valuemin="0" aria-valuemax="100"></div>
  <button type="button" title="What is finished is kept">Cancel</button>
</div>
"""
_mount = st.components.v2.component(
    "esmc_progress", html=_HTML, css=read_style("progress"), js=read_script("progress")
)


def progress(url: str, status: dict[str, Any], *, key: str) -> None:
    """Draw the bar; the page runs again when there is news of the job.

    Args:
        url: where the browser asks for the status; `url`/cancel stops the job.
        status: the answer as it is now: `text`, `fraction` (0 to 1), `stopping`, and `news`,
            a word that changes when the page has something new to show.
    """
    _mount(key=key, data={"url": url, "status": status}, height=52, on_news_change=lambda: None)
