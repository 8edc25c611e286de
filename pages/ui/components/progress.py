"""A bar that follows a job by itself."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui.components.assets import read_script, read_style

_HTML = """
<div class="esmc progress">
  <span class="text" role="status"></span>
  <div role="progressbar" aria-valuemin="0" aria-valuemax="100"></div>
  <span class="note" role="status"></span>
  <span class="buttons">
    <button type="button" class="pause" hidden>Pause</button>
    <button type="button" class="cancel" title="What is finished is kept">Cancel</button>
  </span>
</div>
"""
HEIGHT_PX = 76
"""Of a bar with a note below it, which may come later: nothing then moves."""

_mount = st.components.v2.component(
    "esmc_progress", html=_HTML, css=read_style("progress"), js=read_script("progress")
)


def progress(url: str, status: dict[str, Any], *, key: str) -> None:
    """Draw the bar; the page runs again when there is news of the job.

    Args:
        url: where the browser asks for the status; `url`/cancel stops the job, `url`/pause and
            `url`/resume let it rest and go on.
        status: the answer as it is now: `text`, `note` (a second line, ""), `fraction` (0 to 1),
            `stopping`, `paused` (None where it cannot be), and `news`, a word that changes when
            the page has something new to show.
    """
    data = {"url": url, "status": status}
    _mount(key=key, data=data, height=HEIGHT_PX, on_news_change=lambda: None)
