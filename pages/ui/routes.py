"""What the server answers beside the pages: thumbnails, cards, jobs, and a person's answers."""

from __future__ import annotations

import base64
import json

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esmc_core.errors import EsmcError, InputError
from pages.ui.addresses import MAX_TOGETHER, thumbnail_url
from pages.ui.place import load_collection
from pages.ui.progress import status
from pages.ui.resources import jobs, workspace
from pages.ui.texts import queues
from pages.ui.texts.opened import load_texts

FOREVER = "private, max-age=31536000, immutable"
MAX_CARD = 400


async def thumbnail(request: Request) -> Response:
    """The thumbnail of one picture; its address holds its digest, so it never changes.

    It is a few KB, read in less time than it would take to hand it to another thread.
    """
    content = _read_thumbnail(request.path_params["digest"])
    if content is None:
        return Response(status_code=404)
    return Response(content, media_type="image/webp", headers={"Cache-Control": FOREVER})


async def thumbnails(request: Request) -> Response:
    """The thumbnails of the `digests`, which commas part: each in base64, null where there is none.

    A browser shows what comes in one answer several times sooner than as many answers.
    """
    digests = request.query_params.get("digests", "").split(",")
    if len(digests) > MAX_TOGETHER:
        return Response(status_code=400)
    found = [_read_thumbnail(digest) for digest in digests]
    encoded = [content and base64.b64encode(content).decode() for content in found]
    # WebP does not shrink any more: naming an encoding keeps the server from trying.
    headers = {
        "Cache-Control": FOREVER if all(found) else "no-store",
        "Content-Encoding": "identity",
    }
    return JSONResponse(encoded, headers=headers)


def _read_thumbnail(digest: str) -> bytes | None:
    try:
        return workspace().library.thumbnail_path(digest).read_bytes()
    except (InputError, OSError):
        return None


def card(request: Request) -> Response:
    """What the map shows of one picture, by its number in a collection, which never changes."""
    try:
        collection = load_collection(request.path_params["collection"])
        picture = collection.pictures[request.path_params["number"]]
    except (EsmcError, IndexError):
        return Response(status_code=404)
    content = {"title": picture.file, "thumbnail": thumbnail_url(picture.digest)}
    return JSONResponse(content, headers={"Cache-Control": FOREVER})


def text_card(request: Request) -> Response:
    """What the map shows of one text, by its number in a collection, which never changes."""
    try:
        collection = load_texts(request.path_params["texts"])
        text = collection.texts[request.path_params["number"]]
    except (EsmcError, IndexError):
        return Response(status_code=404)
    shown = text if len(text) <= MAX_CARD else f"{text[:MAX_CARD]} …"
    return JSONResponse({"title": shown}, headers={"Cache-Control": FOREVER})


def next_questions(request: Request) -> Response:
    """Where a person's queue of questions stands, and what comes next."""
    try:
        return JSONResponse(queues.state(_queue(request)))
    except EsmcError as error:
        return _refusal(error)


async def take_answer(request: Request) -> Response:
    """Keep a person's answers, or take back the last; the reply comes once that is on disk."""
    if "x-esmc" not in request.headers:
        return Response(status_code=404)
    try:
        given = json.loads(await request.body())
        return await run_in_threadpool(_take, _queue(request), given)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Response(status_code=400)
    except EsmcError as error:
        return _refusal(error)


def _take(queue: queues.Queue, given: dict) -> Response:
    card = None
    for step in given["steps"]:
        if step.get("undo"):
            card = queues.undo(queue)
        else:
            card = None
            queues.answer(queue, int(step["number"]), str(step["key"]), int(step["pressed"]))
    found = queues.state(queue)
    return JSONResponse(found | {"undone": card})


def _queue(request: Request) -> queues.Queue:
    kind, query = request.path_params["kind"], request.query_params
    if kind not in queues.KINDS or not query.get("goal", "1").isdecimal():
        raise InputError("There is no such queue.", "Open the page again.")
    return queues.Queue(
        request.path_params["texts"],
        request.path_params["study"],
        kind,
        query.get("round", ""),
        int(query.get("goal", "1")),
        query.get("judge", ""),
    )


def _refusal(error: EsmcError) -> Response:
    return JSONResponse({"error": str(error)}, status_code=409)


def job_status(request: Request) -> Response:
    """How far a job is."""
    job = jobs().find(request.path_params["id"])
    return JSONResponse(status(job)) if job else Response(status_code=404)


def order_job(request: Request) -> Response:
    """Stop a job, or let it rest; the header is one that another site's page cannot send."""
    job, order = jobs().find(request.path_params["id"]), request.path_params["order"]
    if job is None or "x-esmc" not in request.headers:
        return Response(status_code=404)
    if order == "cancel":
        job.cancel()
    elif job.controls is not None and order == "pause":
        job.controls.pause()
    elif job.controls is not None and order == "resume":
        job.controls.resume()
    else:
        return Response(status_code=404)
    return Response(status_code=204)


ROUTES = [
    Route("/thumbnails/{digest}.webp", thumbnail),
    Route("/thumbnails", thumbnails),
    Route("/cards/{collection}/{number:int}", card),
    Route("/jobs/{id}", job_status),
    Route("/jobs/{id}/{order}", order_job, methods=["POST"]),
    Route("/text-cards/{texts}/{number:int}", text_card),
    Route("/answers/{texts}/{study}/{kind}", next_questions, methods=["GET"]),
    Route("/answers/{texts}/{study}/{kind}", take_answer, methods=["POST"]),
]
