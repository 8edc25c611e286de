"""A scatter plot of pictures that can be zoomed, lassoed and opened."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import streamlit as st

from pages.ui.components.assets import read_script, read_style

_HTML = """
<div class="esmc scatter">
  <div class="tools" role="toolbar" aria-label="Plot tools"></div>
  <div class="stage">
    <div class="plot" tabindex="0" role="application" aria-roledescription="scatter plot">
      <canvas class="points" aria-hidden="true"></canvas>
      <canvas class="marks" aria-hidden="true"></canvas>
    </div>
    <div class="legend" role="group" aria-label="Clusters"></div>
  </div>
</div>
"""
_MODULES = (
    "scatter_icons",
    "scatter_view",
    "scatter_paint",
    "scatter_panel",
    "scatter_hand",
    "scatter",
)
_mount = st.components.v2.component(
    "esmc_scatter",
    html=_HTML,
    css=read_style("scatter"),
    js=read_script(*_MODULES),
)


@dataclass(frozen=True)
class ScatterEvent:
    """What the user did: `select` some points (`points`), `open` one (`point`), or `clear`."""

    kind: Literal["select", "open", "clear"]
    points: tuple[int, ...] = ()
    point: int | None = None


_CLEAR = ScatterEvent("clear")


def scatter(
    x: Any,
    y: Any,
    *,
    cluster: Sequence[int] | np.ndarray,
    colours: Sequence[str],
    outlines: Sequence[str] | None = None,
    names: Sequence[str],
    card_url: str,
    selected: Sequence[int] | np.ndarray | None = None,
    height: int = 520,
    label: str = "Map of the pictures",
    noun: str = "picture",
    legend: bool = True,
    key: str,
    on_event: Callable[[ScatterEvent], None] | None = None,
) -> ScatterEvent | None:
    """Draw the plot; return what the user did in this run, else None.

    Args:
        x, y: (n,) coordinates in any unit; both axes get the same scale. New coordinates for the
            same n under the same key are animated.
        cluster: (n,) index into `colours` and `names`; -1 for none.
        colours, outlines: (n_clusters,) "#rrggbb" of the points and of their rims; without
            `outlines` a rim is drawn only where a colour is close to the paper's.
        card_url: where the browser asks for the card at the pointer, with `{}` for the point's
            index; the answer is JSON with `title` and, where there is one, `thumbnail`, an address.
        selected: indices of the points shown in full; None shows all. The caller's own state.
        noun: what a point is.
        legend: False leaves out the list of clusters.
        on_event: called with the event before the page runs again, as Streamlit's callbacks.
    """
    n_points = len(cluster)
    table = _tabulate(x, y, cluster)
    result = _mount(
        key=key,
        data={
            "points": table,
            "layout": _digest(table, "x", "y"),
            "style": _digest(table, "cluster"),
            "colours": list(colours),
            "outlines": None if outlines is None else list(outlines),
            "names": list(names),
            "card_url": card_url,
            "selected": None if selected is None else _pack(selected, n_points),
            "height": height,
            "label": label,
            "noun": noun,
            "legend": legend,
        },
        height=height,
        on_select_change=lambda: _tell(on_event, st.session_state[key], "select", n_points),
        on_open_change=lambda: _tell(on_event, st.session_state[key], "open", n_points),
    )
    return _event(result, "select", n_points) or _event(result, "open", n_points)


def _tabulate(x: Any, y: Any, cluster: Any) -> pa.Table:
    return pa.table(
        {
            "x": pa.array(np.asarray(x, dtype=np.float32)),
            "y": pa.array(np.asarray(y, dtype=np.float32)),
            "cluster": pa.array(np.asarray(cluster, dtype=np.int16)),
        }
    )


def _digest(table: pa.Table, *columns: str) -> str:
    """Tells the browser whether anything has changed, at the cost of one hash here."""
    content = hashlib.blake2b(digest_size=8)
    for name in columns:
        content.update(table.column(name).to_numpy().tobytes())
    return content.hexdigest()


def _pack(points: Sequence[int] | np.ndarray, n_points: int) -> str:
    """One bit a point, least significant first, in base64: 17 KB for 100,000 points."""
    mask = np.zeros(n_points, dtype=bool)
    mask[np.asarray(points, dtype=np.int64)] = True
    return base64.b64encode(np.packbits(mask, bitorder="little").tobytes()).decode()


def _unpack(text: str, n_points: int) -> tuple[int, ...]:
    packed = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    mask = np.unpackbits(packed, count=n_points, bitorder="little")
    return tuple(int(point) for point in np.flatnonzero(mask))


def _event(
    values: Mapping[str, Any], kind: Literal["select", "open"], n_points: int
) -> ScatterEvent | None:
    value = values.get(kind)
    if value is None:
        return None
    if kind == "select":
        return ScatterEvent("select", points=_unpack(value, n_points)) if value else _CLEAR
    # The points may have become fewer while the click was on its way.
    return ScatterEvent("open", point=int(value)) if int(value) < n_points else None


def _tell(
    on_event: Callable[[ScatterEvent], None] | None,
    values: Mapping[str, Any],
    kind: Literal["select", "open"],
    n_points: int,
) -> None:
    event = _event(values, kind, n_points)
    if on_event is not None and event is not None:
        on_event(event)
