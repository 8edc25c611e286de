"""What the server answers beside the pages: thumbnails, cards, and how far jobs are."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esmc_core.errors import EsmcError, InputError
from pages.ui.addresses import thumbnail_url
from pages.ui.place import load_collection
from pages.ui.progress import status
from pages.ui.resources import jobs, workspace

FOREVER = "private, max-age=31536000, immutable"


async def thumbnail(request: Request) -> Response:
    """The thumbnail of one picture; its address holds its digest, so it never changes.

    A page asks for hundreds of them. Each is a few KB, read in less time than it would take to
    hand it to another thread.
    """
    try:
        content = workspace().library.thumbnail_path(request.path_params["digest"]).read_bytes()
    except (InputError, OSError):
        return Response(status_code=404)
    return Response(content, media_type="image/webp", headers={"Cache-Control": FOREVER})


def card(request: Request) -> Response:
    """What the map shows of one picture, by its number in a collection, which never changes."""
    try:
        collection = load_collection(request.path_params["collection"])
        picture = collection.pictures[request.path_params["number"]]
    except (EsmcError, IndexError):
        return Response(status_code=404)
    content = {"title": picture.file, "thumbnail": thumbnail_url(picture.digest)}
    return JSONResponse(content, headers={"Cache-Control": FOREVER})


def job_status(request: Request) -> Response:
    """How far a job is."""
    job = jobs().find(request.path_params["id"])
    return JSONResponse(status(job)) if job else Response(status_code=404)


def cancel_job(request: Request) -> Response:
    """Stop a job; the header is one that another site's page cannot send."""
    job = jobs().find(request.path_params["id"])
    if job is None or "x-esmc" not in request.headers:
        return Response(status_code=404)
    job.cancel()
    return Response(status_code=204)


ROUTES = [
    Route("/thumbnails/{digest}.webp", thumbnail),
    Route("/cards/{collection}/{number:int}", card),
    Route("/jobs/{id}", job_status),
    Route("/jobs/{id}/cancel", cancel_job, methods=["POST"]),
]
