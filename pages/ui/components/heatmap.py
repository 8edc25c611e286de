"""The heatmap of one score over layers and prompt tokens, whose cells can be chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.ui.components.assets import read_script, read_style

Cell = tuple[int, int]
TopTokens = Sequence[tuple[str, float]]

_HTML = """
<div class="esmc heatmap">
  <div class="head">
    <span class="title"></span>
    <span class="suggested">★ suggested</span>
    <span class="scale">
      <span class="low"></span><span class="ramp"></span><span class="high"></span>
    </span>
  </div>
  <div class="body">
    <canvas class="axis" aria-hidden="true"></canvas>
    <div class="scroller" tabindex="0" role="application" aria-roledescription="heatmap">
      <canvas class="cells"></canvas>
    </div>
  </div>
  <div class="hidden live" aria-live="polite"></div>
</div>
"""
_HEAD_PX, _SCROLLBAR_PX = 32, 14
_mount = st.components.v2.component(
    "esmc_heatmap",
    html=_HTML,
    css=read_style("heatmap"),
    js=read_script("heatmap_labels", "heatmap"),
)


def heatmap(
    scores: Any,
    *,
    tokens: Sequence[str],
    selected: Cell | None,
    suggested: Cell | None,
    cell_tokens: Sequence[Sequence[TopTokens]] | None = None,
    unit: str = "bits",
    title: str,
    content_span: tuple[int, int] | None = None,
    key: str,
    on_pick: Callable[[Cell], None] | None = None,
) -> Cell | None:
    """Draw the heatmap; return the cell chosen in this run, else None.

    Args:
        scores: (n_layers, n_positions) numbers; None or NaN where there is none yet.
        tokens: (n_positions,) the prompt's tokens as they are, blanks included.
        selected: the (layer, position) outlined; the caller's own state.
        suggested: the (layer, position) starred.
        cell_tokens: (n_layers, n_positions) lists of (token, probability) for the card at the
            pointer.
        unit: of the scores.
        content_span: the positions [from, to) that are the criterion's words.
        on_pick: called with the chosen cell before the page runs again, as Streamlit's callbacks.
    """
    rows = [[_finite(score) for score in row] for row in scores]
    words, top = _index_tokens(cell_tokens)
    height = _canvas_height(len(rows))
    chosen = _mount(
        key=key,
        data={
            "scores": rows,
            "tokens": list(tokens),
            "selected": _pair(selected),
            "suggested": _pair(suggested),
            "words": words,
            "top": top,
            "unit": unit,
            "title": title,
            "span": _pair(content_span) or [0, 0],
            "height": height,
        },
        height=_HEAD_PX + height + _SCROLLBAR_PX,
        on_pick_change=lambda: _tell(on_pick, st.session_state[key].get("pick")),
    )
    return _cell(chosen.get("pick"))


def _tell(on_pick: Callable[[Cell], None] | None, value: Any) -> None:
    cell = _cell(value)
    if on_pick is not None and cell is not None:
        on_pick(cell)


def _cell(value: Any) -> Cell | None:
    return None if value is None else (int(value[0]), int(value[1]))


def _pair(value: Sequence[int] | None) -> list[int] | None:
    return None if value is None else [int(value[0]), int(value[1])]


def _finite(score: Any) -> float | None:
    # Five digits are more than a colour or a label can show.
    return None if score is None or not math.isfinite(score) else float(f"{score:.5g}")


def _canvas_height(n_layers: int) -> int:
    """Pixels for grid and token texts: rows of 12 to 34, and a grid of about 400 if it can be."""
    return 88 + n_layers * max(12, min(34, 400 // max(1, n_layers)))


def _index_tokens(
    cell_tokens: Sequence[Sequence[TopTokens]] | None,
) -> tuple[list[str], list[list[float]]]:
    """Each word once, and per cell (row by row) a flat [word, probability, word, …]."""
    index: dict[str, int] = {}
    flat: list[list[float]] = []
    for row in cell_tokens or ():
        for cell in row:
            pairs: list[float] = []
            for text, probability in cell:
                pairs += [index.setdefault(text, len(index)), round(float(probability), 4)]
            flat.append(pairs)
    return list(index), flat
