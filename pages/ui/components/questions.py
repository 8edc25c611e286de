"""Questions to a person as cards, answered by keys or clicks, one after the other."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from pages.ui.components.assets import read_script, read_style

_HTML = """
<div class="esmc questions" role="group" aria-label="Questions" tabindex="-1">
  <div class="head">
    <span class="count" role="status"></span>
    <span class="track" aria-hidden="true"><span class="fill"></span></span>
    <span class="saved" role="status"></span>
  </div>
  <p class="ask"></p>
  <div class="sheet" aria-live="polite"></div>
  <div class="answers"></div>
</div>
"""
_mount = st.components.v2.component(
    "esmc_questions", html=_HTML, css=read_style("questions"), js=read_script("questions")
)


def questions(
    url: str,
    state: dict[str, Any],
    *,
    kind: Literal["triplet", "pair"],
    ask: str,
    is_long: bool = False,
    done: str,
    key: str,
) -> None:
    """Draw the cards; the page runs again when the person pauses.

    Args:
        url: where the browser sends answers, and asks for the next questions; see `queues`.
        state: the answer of that address as it is now: `total`, `answered`, `decided`, `cards`.
        ask: the question over the cards.
        is_long: the texts are long ones, which need more room.
        done: what stands there once all are answered.
    """
    _mount(
        key=key,
        data={
            "url": url,
            "state": state,
            "kind": kind,
            "ask": ask,
            "long": is_long,
            "done": done,
        },
        height="content",
        on_news_change=lambda: None,
    )
