"""Addresses beside the pages: thumbnails, straight from the disk and kept by the browser."""

from __future__ import annotations

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from esmc_core.errors import InputError
from pages.ui.resources import workspace

FOREVER = "private, max-age=31536000, immutable"


def thumbnail(request: Request) -> Response:
    """The thumbnail of one picture; its address holds its digest, so it never changes."""
    try:
        path = workspace().library.thumbnail_path(request.path_params["digest"])
    except InputError:
        return Response(status_code=404)
    if not path.is_file():
        return Response(status_code=404)
    return FileResponse(path, media_type="image/webp", headers={"Cache-Control": FOREVER})


def thumbnail_url(digest: str) -> str:
    """Where the browser finds a picture's thumbnail; "{}" gives the pattern of all."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{'/' + base if base else ''}/thumbnails/{digest}.webp"


ROUTES = [Route("/thumbnails/{digest}.webp", thumbnail)]
