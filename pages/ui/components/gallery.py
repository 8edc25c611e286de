"""A grid or strip of pictures, each of which can be opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NotRequired, TypedDict

import streamlit as st

from pages.ui.addresses import MAX_TOGETHER, thumbnails_url
from pages.ui.components.assets import read_script, read_style

Id = str | int


class GalleryItem(TypedDict):
    """One picture; only `id`, `digest` and `title` are needed."""

    id: Id
    digest: str
    title: str
    caption: NotRequired[str | None]
    colour: NotRequired[str | None]
    badge: NotRequired[str | None]
    tokens: NotRequired[Sequence[tuple[str, float]]]


_HTML = """
<div class="esmc gallery"><ul class="list" role="list"></ul></div>
"""
_mount = st.components.v2.component(
    "esmc_gallery",
    html=_HTML,
    css=read_style("gallery"),
    js=read_script("gallery"),
)


def gallery(
    items: Sequence[GalleryItem],
    *,
    selected: Id | None = None,
    size: int = 128,
    layout: Literal["grid", "strip"] = "grid",
    fit: Literal["cover", "contain"] = "cover",
    caption_lines: int | None = None,
    label: str = "Pictures",
    key: str,
    on_open: Callable[[Id], None] | None = None,
) -> Id | None:
    """Show pictures; return the id of the one opened in this run, else None.

    Args:
        items: ids must be unique; `badge` is a few letters on the picture, `colour` the colour of
            its cluster, `tokens` its (token, probability).
        selected: the id that is marked; the caller's own state.
        size: side of a picture in CSS pixels; in a grid the least, as rows fill the width.
        layout: "strip" is one row that scrolls sideways.
        caption_lines: room below each picture; as many as the captions' presence asks for if None.
        label: what the list is, for screen readers.
        on_open: called with the id before the page runs again, as Streamlit's callbacks.
    """
    plain = [_plain_item(item) for item in items]
    lines = caption_lines
    if lines is None:
        lines = int(any(item.get("caption") for item in items))
    token_rows = max((len(item["tokens"]) for item in plain), default=0)
    opened = _mount(
        key=key,
        data={
            "items": plain,
            "thumbnails": thumbnails_url(),
            "together": MAX_TOGETHER,
            "selected": selected,
            "size": size,
            "layout": layout,
            "fit": fit,
            "caption_lines": lines,
            "token_rows": token_rows,
            "label": label,
        },
        height=_strip_height(plain, size, lines, token_rows) if layout == "strip" else "content",
        on_open_change=lambda: _tell(on_open, st.session_state[key].get("open")),
    )
    value: Id | None = opened.get("open")
    return value


def _tell(on_open: Callable[[Id], None] | None, value: Id | None) -> None:
    if on_open is not None and value is not None:
        on_open(value)


def _plain_item(item: GalleryItem) -> dict[str, Any]:
    tokens = [[text, round(float(share), 4)] for text, share in item.get("tokens", ())]
    return {**item, "tokens": tokens}


def _strip_height(items: list[dict[str, Any]], size: int, lines: int, token_rows: int) -> int:
    """Pixels of the strip, as its style sheet lays it out, so that the page never moves."""
    colour = 11 if any(item.get("colour") for item in items) else 0
    padding_and_scrollbar = 5 + 10 + 14
    return size + colour + (5 + 17 * lines) + (4 + 22 * token_rows) + padding_and_scrollbar
