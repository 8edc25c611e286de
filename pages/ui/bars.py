"""Tokens with their probabilities as bars."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st


def token_bars(tokens: Sequence[tuple[str, float]], *, colour: str = "") -> None:
    """Draw one bar a token; its length is the probability, its number stands beside it."""
    st.html(bars_html(tokens, colour=colour))


def bars_html(tokens: Sequence[tuple[str, float]], *, colour: str = "") -> str:
    """The bars as HTML, in the given colour or the theme's."""
    paint = f' style="--bar:{html.escape(colour)}"' if colour else ""
    rows = "".join(
        f'<li><span class="word">{html.escape(text)}</span>'
        f'<span class="track"><span class="fill" style="width:{100 * min(share, 1):.1f}%"></span>'
        f'</span><span class="share">{share:.2f}</span></li>'
        for text, share in tokens
    )
    return f'<ul class="esmc-bars"{paint}>{rows}</ul>'
