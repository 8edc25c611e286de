"""A page with the three components on made-up data: `python demo_components.py PORT`.

`?view=heatmap|gallery|strip|scatter` chooses what is shown, `rows`, `columns`, `n` and `shape` how
much of it. The event log at the end is what the tests read.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).parents[2]))

from pages.ui.components.gallery import GalleryItem, gallery
from pages.ui.components.heatmap import heatmap
from pages.ui.components.scatter import ScatterEvent, scatter

NAMES = ["red", "black", "white", "silver", "yellow", "dark blue", "green, mostly olive"]
COLOURS = ["#c9372c", "#22262a", "#f6f6f2", "#aab2b8", "#e6b417", "#28508f", "#6d8b3c"]
WORDS = ["red", "▁black", " white", "silver", "\n", "▁", "yellow", "colour", "extraordinarily"]
TOKENS = ["USER", ":", "▁the", "▁color", "▁of", "▁the", "▁car", "▁is", "\n", "ASS", "IST", "ANT:"]


def paint_picture(request: Request) -> Response:
    """The picture of the number in the address."""
    return Response(paint(request.path_params["number"]), media_type="image/webp")


def paint_pictures(request: Request) -> Response:
    """The pictures of several numbers, as the app answers; every 17th is missing."""
    numbers = map(int, request.query_params["digests"].split(","))
    return JSONResponse(
        [None if i % 17 == 16 else base64.b64encode(paint(i)).decode() for i in numbers]
    )


def paint(number: int) -> bytes:
    """A small WebP drawn from a number."""
    size = (256, 170) if number % 3 else (180, 256)
    image = Image.new("RGB", size, (216, 211, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, size[1] * 0.62, *size), fill=(168, 164, 155))
    wide, low = size[0], size[1] * 0.72
    colour = COLOURS[number % len(COLOURS)]
    roof = [(0.25, 50), (0.36, 88), (0.64, 88), (0.77, 50)]
    draw.rounded_rectangle((wide * 0.1, low - 56, wide * 0.9, low), 18, fill=colour)
    draw.polygon([(wide * x, low - y) for x, y in roof], fill=colour)
    for x in (wide * 0.28, wide * 0.72):
        draw.ellipse((x - 19, low - 17, x + 19, low + 21), fill=(28, 30, 32))
    content = io.BytesIO()
    image.save(content, "WEBP")
    return content.getvalue()


def describe_picture(request: Request) -> Response:
    """The card of the picture of that number."""
    number = request.path_params["number"]
    title, thumbnail = f"IMG_{1000 + number}.jpg", f"/thumbnails/{number}.webp"
    return JSONResponse({"title": title, "thumbnail": thumbnail})


def log(event: object) -> None:
    """Remember what a callback was given."""
    st.session_state.setdefault("log", []).append(repr(event))


def show_heatmap(rows: int, columns: int) -> None:
    """A heatmap whose scores can be sharpened and whose selection can be set by code."""
    state = st.session_state
    tokens = [TOKENS[i % len(TOKENS)] for i in range(columns)]
    if columns > 20:
        tokens[5] = "▁uncharacteristically"
    sharp = state.setdefault("sharp", 1)
    grid_y, grid_x = np.mgrid[0:rows, 0:columns]
    bump = np.exp(-(((grid_y / rows - 0.72) * 3) ** 2) - ((grid_x / columns - 0.62) * 4) ** 2)
    scores = 5.2 * bump + np.random.default_rng(sharp).normal(0, 0.5 / sharp, bump.shape).clip(
        -1, 1
    )
    if st.query_params.get("holes"):
        scores[:, -3:] = np.nan
    draw = np.random.default_rng(3)
    top = [
        [
            [(str(draw.choice(WORDS)), float(p)) for p in np.sort(draw.dirichlet([0.4] * 6))[:0:-1]]
            for _ in range(columns)
        ]
        for _ in range(rows)
    ]

    def pick(cell: tuple[int, int]) -> None:
        state.cell = cell
        log(cell)

    picked = heatmap(
        scores,
        tokens=tokens,
        selected=state.setdefault("cell", None),
        suggested=(round(rows * 0.72), round(columns * 0.62)),
        cell_tokens=top,
        title="Entropy over the pictures",
        content_span=(2, 8),
        key="map",
        on_pick=pick,
    )
    log_returned(picked)
    left, right = st.columns(2)
    left.button("Sharpen", on_click=lambda: state.update(sharp=state.sharp + 1))
    right.button("Jump", on_click=lambda: state.update(cell=(1, 1)))


def make_items(count: int, *, first: int = 0, tokens: bool = False) -> list[GalleryItem]:
    """Items with everything that an item may have."""
    items: list[GalleryItem] = []
    for i in range(first, first + count):
        item: GalleryItem = {
            "id": f"p{i}",
            "digest": str(i),
            "title": f"cars/IMG_{1000 + i}_a_rather_long_file_name.jpg",
            "caption": f"IMG_{1000 + i}.jpg",
            "colour": COLOURS[i % len(COLOURS)],
            "badge": f"{97 - i % 40} %",
        }
        if tokens:
            # Sharper numbers with every press, as while a pass runs.
            share = 0.3 + 0.1 * (st.session_state.get("sharp", 1) % 6)
            rest = 1 - share
            item["tokens"] = [
                ("▁" + NAMES[i % len(NAMES)], share),
                ("▁the", rest * 0.5),
                ("car", rest * 0.2),
            ]
            item.pop("colour")
            item.pop("badge")
        items.append(item)
    return items


def show_gallery(layout: str, count: int) -> None:
    """A grid with pages or a strip with tokens."""
    state = st.session_state
    first = state.setdefault("first", 0)

    def open_picture(picture: str | int) -> None:
        state.picture = picture
        log(picture)

    opened = gallery(
        make_items(count, first=first, tokens=layout == "strip"),
        selected=state.setdefault("picture", None),
        size=128 if layout == "grid" else 120,
        layout="strip" if layout == "strip" else "grid",
        label="Pictures of the cluster “red”",
        key="pictures",
        on_open=open_picture,
    )
    log_returned(opened)
    left, middle, right = st.columns(3)
    left.button("Next page", on_click=lambda: state.update(first=first + count))
    middle.button("Jump", on_click=lambda: state.update(picture="p1"))
    right.button("Sharpen", on_click=lambda: state.update(sharp=state.get("sharp", 1) + 1))


def make_points(n_points: int, *, turn: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and cluster of each point, (n_points,) all: one blob a cluster, on an ellipse."""
    draw = np.random.default_rng(turn)
    cluster = np.arange(n_points) % len(NAMES)
    angle = 2 * np.pi * cluster / len(NAMES) + turn
    x = np.cos(angle) * 6 + draw.normal(0, 1.1, n_points)
    y = np.sin(angle) * 4 + draw.normal(0, 0.9, n_points)
    return x, y, cluster


def show_scatter(n_points: int, shape: str) -> None:
    """Blobs of pictures, or all of them in one place."""
    state = st.session_state
    x, y, cluster = make_points(n_points, turn=state.setdefault("turn", 1))
    if shape == "same":
        x, y = np.full(n_points, 3.5), np.full(n_points, -2.0)

    def act(event: ScatterEvent) -> None:
        if event.kind == "select":
            state.points = list(event.points)
            log(("select", len(event.points), sum(event.points)))
        elif event.kind == "clear":
            state.points = None
            log("clear")
        else:
            log(("open", event.point))

    event = scatter(
        x,
        y,
        cluster=cluster,
        colours=COLOURS,
        outlines=None,
        names=NAMES,
        card_url="/cards/{}",
        selected=state.setdefault("points", None),
        key="plot",
        on_event=act,
    )
    log_returned(None if event is None else event.kind)
    left, right = st.columns(2)
    left.button("Rearrange", on_click=lambda: state.update(turn=state.turn + 1))
    right.button("Jump", on_click=lambda: state.update(points=[0, 1]))


def log_returned(value: object) -> None:
    """Remember what a component's call has returned."""
    if value is not None:
        st.session_state["returned"] = repr(value)


def show_page() -> None:
    """The demo page itself."""
    st.set_page_config(page_title="Components", layout="wide")
    params = st.query_params
    view = params.get("view", "heatmap")
    if view == "heatmap":
        # With `poll` the heatmap alone is run again and again, as while a pass goes on.
        draw = st.fragment(show_heatmap, run_every=0.15) if params.get("poll") else show_heatmap
        draw(int(params.get("rows", 33)), int(params.get("columns", 12)))
    elif view == "scatter":
        show_scatter(int(params.get("n", 356)), params.get("shape", "blobs"))
    else:
        show_gallery(view, int(params.get("n", 40 if view == "grid" else 14)))
    st.radio(
        "view",
        ["heatmap", "grid", "strip", "scatter"],
        key="next",
        horizontal=True,
        index=["heatmap", "grid", "strip", "scatter"].index(view),
        on_change=lambda: params.update(view=st.session_state.next),
    )
    state = st.session_state
    state["runs"] = state.get("runs", 0) + 1
    st.code(
        f"runs {state.runs} | returned {state.get('returned')} | log {state.get('log', [])}",
        language=None,
    )


def serve(port: int) -> None:
    """Serve this page and its pictures until the process is stopped."""
    routes = [
        Route("/thumbnails/{number:int}.webp", paint_picture),
        Route("/thumbnails", paint_pictures),
        Route("/cards/{number:int}", describe_picture),
    ]
    app = st.App(Path(__file__).resolve(), routes=routes)
    app.run(config={"server.port": port, "server.headless": True})


if st.runtime.exists():
    show_page()
elif __name__ == "__main__":
    serve(int(sys.argv[1]))
