"""Pages without a browser: sessions of the app, each on a server that begins anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from esmc_core.jobs import Job
from esmc_core.projection_worker import ProjectionWorker
from esmc_core.records import write_json
from esmc_core.texts.collection import collect
from esmc_core.texts.study import StudySettings
from pages.ui import preferences, resources, shell, warmth
from tests.tiny_texts import save_tiny_embedder, tiny_texts

TIMEOUT_S = 240
SHARED = (
    resources.workspace,
    resources.text_library,
    resources.text_workspace,
    resources.jobs,
    resources.projection,
)

Visit = Callable[..., AppTest]


def _nothing(*_arguments, **_options) -> None:
    pass


@pytest.fixture
def server(home, tiny_llava, monkeypatch) -> Iterator[Path]:
    """An empty home; the shared things of the server made for it. The map is laid out at once."""
    st.cache_data.clear()
    for shared in SHARED:
        shared.cache_clear()
    monkeypatch.setattr(warmth, "start", lambda: None)
    # Each run of AppTest looks through all that is installed for components of others.
    monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", _nothing)
    monkeypatch.setattr(ProjectionWorker, "project", lambda _, rows, **_options: some_points(rows))
    write_json(home / "preferences.json", {"model": str(tiny_llava)})
    yield home
    for job in resources.jobs().active():
        job.cancel()
    wait_for_jobs()


@pytest.fixture
def visit(server) -> Visit:
    """Open a page in a new session, at a place, as a browser does with an address."""

    def visit(page: str, **place: str) -> AppTest:
        app = AppTest.from_file(shell.__file__, default_timeout=TIMEOUT_S)
        for name, value in place.items():
            app.query_params[name] = value
        return app.switch_page(f"../{page}.py").run()

    return visit


@pytest.fixture
def filled(server, workspace) -> dict[str, str]:
    """The home filled with a collection and a finished pass; the place of that pass."""
    (collection,) = workspace.library.list()
    (made,) = workspace.list_passes(collection.key)
    return {"collection": collection.key, "lens": made.key}


@pytest.fixture
def clustered(filled, store, found) -> dict[str, str]:
    """The place of a clustering of that pass."""
    cell = f"{found.source.layer}.{found.source.position}"
    return filled | {"cell": cell, "clusters": found.key}


@pytest.fixture(scope="session")
def text_embedder(tmp_path_factory) -> str:
    """A folder with a tiny embedder of random weights."""
    return str(save_tiny_embedder(tmp_path_factory.mktemp("embedders")))


@pytest.fixture
def study(server, text_embedder):
    """A study of some texts whose questions are drawn, and which has labels."""
    found, topics = tiny_texts()
    collection = collect("some.csv", "text", [*found, "", found[0]])
    library = resources.text_library()
    library.add(collection, labels=[*topics, "", topics[0]])
    settings = StudySettings("topic", embedder=text_embedder)
    made = resources.text_workspace().study(library.load(collection.key), settings)
    made.triplets()
    made.embedder_choices()
    preferences.put(embedder=text_embedder)
    return made


@pytest.fixture
def texts_place(study) -> dict[str, str]:
    """The place of that study."""
    return {"texts": study.collection.key, "study": study.key}


def some_points(rows) -> np.ndarray:
    """(n_images, 2) a map that takes no time."""
    return np.random.default_rng(0).normal(size=(rows.shape[0], 2)).astype(np.float32)


def wait_for_jobs() -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while resources.jobs().active():
        assert time.monotonic() < deadline, "a job does not end"
        time.sleep(0.01)


def settled(app: AppTest) -> AppTest:
    """Run the page until nothing works in the background, as the browser does on news.

    It is the page that was visited: AppTest does not follow a button that leads to another.
    """
    for _ in range(10):
        wait_for_jobs()
        app.run()
        if not resources.jobs().active():
            app.run()  # work that the run before started may have ended before it was over
            if not resources.jobs().active():
                return app
    raise AssertionError("the page starts work without end")


def texts(app: AppTest) -> str:
    """All that the page says."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "success")
    found = [element.value for kind in kinds for element in getattr(app, kind)]
    return "\n".join([*found, *(error.value for error in app.error)])


def shows(app: AppTest, job: Job) -> bool:
    """Whether the page has the bar of the job."""
    return any(job.id in str(element.proto) for element in app.get("bidi_component"))


def button(app: AppTest, label: str):
    """The one button of that label."""
    (found,) = [one for one in app.button if one.label == label]
    return found


def is_sound(app: AppTest) -> bool:
    """Nothing failed and nothing is told to have failed."""
    assert [error.value for error in app.exception] == []
    assert [error.value for error in app.error] == []
    return True
