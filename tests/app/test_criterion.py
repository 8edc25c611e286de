"""The second page: a criterion, its heatmap, a cell."""

import dataclasses
import re
import threading
import time
from types import SimpleNamespace

import pytest
import streamlit as st

from esmc_core.images import collection_files
from esmc_core.lens_store import LensStore
from esmc_core.models.cache import ModelCache
from esmc_core.records import write_json
from pages.ui import clustering_jobs
from pages.ui.resources import jobs, models, workspace
from tests.app.conftest import button, is_sound, settled, shows, texts
from tests.conftest import CRITERION, N_PHOTOS


@pytest.fixture
def page(filled, visit):
    """The page of a collection that nothing was asked of in this session."""
    return visit("criterion", collection=filled["collection"])


def ask(app, criterion: str):
    app.text_input(key="criterion").set_value(criterion)
    return settled(button(app, "Look").click().run())


def layer_and_token(app) -> tuple[int, int]:
    return app.selectbox(key="pick_layer").value, app.selectbox(key="pick_position").value


def test_a_criterion_gives_a_heatmap_and_a_suggestion(page, filled):
    app = ask(page, "the shape of the object is")
    assert is_sound(app)
    assert "suggested ★" in texts(app)
    assert "What it says of single pictures" in texts(app)
    passes = workspace().list_passes(filled["collection"])
    assert {made.criterion for made in passes} == {CRITERION, "the shape of the object is"}
    assert all(made.n_done == N_PHOTOS for made in passes)


@pytest.mark.parametrize(
    ("criterion", "problem"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("ab " * 1667, "5,000 characters"),
        ("🚗🎨🌈", "no words"),
        ("the <image> is", "control token"),
    ],
    ids=["nothing", "spaces", "5,000 characters", "emoji", "control token"],
)
def test_criterion_that_says_nothing_and_the_page_lives_on(page, filled, criterion, problem):
    app = ask(page, criterion)
    (error,) = app.error
    assert problem in error.value
    assert [exception.value for exception in app.exception] == []
    assert len(workspace().list_passes(filled["collection"])) == 1
    app = ask(app, CRITERION)
    assert is_sound(app) and "suggested ★" in texts(app)


def examples(app):
    (pills,) = [group for group in app.button_group if str(group.key).startswith("examples")]
    return pills


def test_an_example_is_a_click_away_and_remembered(page, visit, filled):
    example = examples(page).options[-1]
    app = settled(examples(page).set_value(example).run())
    assert is_sound(app)
    made = workspace().list_passes(filled["collection"])
    assert {one.criterion for one in made} == {CRITERION, example}
    assert examples(visit("criterion", **filled)).options[0] == example


def test_a_click_on_the_marked_criterion_asks_for_it_again(filled, visit):
    app = visit("criterion", **filled)
    assert examples(app).value == CRITERION
    app.text_input(key="criterion").set_value("something else")
    app = settled(examples(app).set_value(None).run())
    assert is_sound(app) and examples(app).value == CRITERION
    assert app.text_input(key="criterion").value == CRITERION


def test_another_cell_by_the_select_boxes(filled, visit):
    app = visit("criterion", **filled)
    suggested = layer_and_token(app)
    other = ((suggested[0] + 1) % 3, (suggested[1] + 1) % 8)
    app.selectbox(key="pick_layer").set_value(other[0]).run()
    app.selectbox(key="pick_position").set_value(other[1]).run()
    assert is_sound(app)
    assert layer_and_token(app) == other
    assert app.query_params["cell"] in (f"{other[0]}.{other[1]}", [f"{other[0]}.{other[1]}"])
    assert "suggested ★" not in texts(app)
    app = button(app, "Back to the suggestion").click().run()
    assert layer_and_token(app) == suggested


def test_the_cell_is_kept_in_another_session(filled, visit):
    app = visit("criterion", **filled, cell="1.2")
    assert layer_and_token(app) == (1, 2)
    assert layer_and_token(visit("criterion")) == (1, 2)


def test_a_cell_that_tells_nothing_apart_is_warned_of(filled, visit, monkeypatch):
    """At layer 0 a word is the same for every picture."""
    st.cache_data.clear()
    for module in ("esmc_core.target", "pages.ui.explorer"):
        monkeypatch.setattr(f"{module}.FLAT_BITS", 1e-6)
    monkeypatch.setattr("pages.ui.explorer.MIN_TO_WARN", 1)
    assert "hardly tells" not in texts(visit("criterion", **filled))
    app = visit("criterion", **filled, cell="0.0")
    assert is_sound(app)
    assert "hardly tells the pictures apart" in app.warning[0].value
    assert "0.00 bits, others up to" in app.warning[0].value
    st.cache_data.clear()


@pytest.mark.parametrize("score", ["confidence", "keywords"])
def test_other_scores(filled, visit, score):
    app = visit("criterion", **filled)
    app.segmented_control(key="score").set_value(score).run()
    assert is_sound(app)
    if score == "keywords":
        assert "Until there are keywords" in texts(app)
        box = app.text_input(key=f"keywords-{filled['lens']}")
        app = box.set_value("red, black, white").run()
        assert is_sound(app) and "Keywords 0." in texts(app)
    else:
        assert "Confidence 0." in texts(app)


def test_keywords_that_are_none_and_too_many(filled, visit):
    app = visit("criterion", **filled)
    app.segmented_control(key="score").set_value("keywords").run()
    key = f"keywords-{filled['lens']}"
    app.text_input(key=key).set_value(", , -").run()
    assert "no keywords" in app.error[0].value
    app.text_input(key=key).set_value(", ".join(f"w{'x' * i}" for i in range(30))).run()
    assert "30 keywords are too many" in app.error[0].value
    app.text_input(key=key).set_value("red").run()
    assert is_sound(app)


def test_keywords_from_the_lens(filled, visit):
    app = visit("criterion", **filled)
    app.segmented_control(key="score").set_value("keywords").run()
    app = button(app, "From the lens").click().run()
    assert is_sound(app)


def test_a_pass_that_was_left_is_gone_on_with(filled, store, visit):
    store.done[store.order[16:]] = 0
    store.done.flush()
    app = visit("criterion", **filled)
    assert f"16 of {N_PHOTOS} pictures are done" in texts(app)
    app = settled(button(app, "Go on").click().run())
    assert is_sound(app)
    assert "pictures are done" not in texts(app)
    assert workspace().open_pass(filled["collection"], filled["lens"]).is_complete


def test_criteria_that_were_left_together_go_on_together(filled, store, visit):
    collection = workspace().library.load(filled["collection"])
    left = workspace().create_pass(collection, models().get(store.spec.model), "the shape is")
    store.done[store.order[16:]] = 0
    store.done.flush()
    app = visit("criterion", **filled)
    assert "“the shape is” will go on with it" in texts(app)
    app = settled(button(app, "Go on").click().run())
    assert is_sound(app) and "2 criteria in one look at each picture" in texts(app)
    assert workspace().open_pass(filled["collection"], filled["lens"]).is_complete
    assert LensStore.open(left.folder).is_complete


def test_a_pass_over_pictures_that_are_gone(filled, workspace, collection, visit, tmp_path):
    """The folder was renamed while the app was closed."""
    pictures = tuple(
        dataclasses.replace(picture, location=str(tmp_path / picture.file))
        for picture in collection.pictures
    )
    moved = dataclasses.replace(collection, pictures=pictures)
    collection_files.write_collection(workspace.library.folder(collection.key), moved)
    app = ask(visit("criterion", **filled), "the shape of the object is")
    (error,) = app.error
    assert "is no longer at" in error.value and "Put it back" in error.value


def test_the_model_that_was_chosen_is_gone(page, server):
    write_json(server / "preferences.json", {"model": "/nowhere/model"})
    app = ask(page, CRITERION)
    assert "There is no model /nowhere/model" in app.error[0].value.replace("\\", "")


@pytest.fixture
def one_batch_only(monkeypatch):
    """Passes write one batch of four, and the next ones when `go_on` is set.

    `second` is set as soon as the second batch is about to be written.
    """
    go_on, second, batches, put = threading.Event(), threading.Event(), [], LensStore.put

    def halting(store, *batch):
        batches.append(batch)
        if len(batches) > 1:
            second.set()
            go_on.wait(timeout=60)
        put(store, *batch)

    monkeypatch.setattr(LensStore, "put", halting)
    monkeypatch.setattr("esmc_core.extract.default_batch_size", lambda model: 4)
    yield SimpleNamespace(go_on=go_on, second=second)
    go_on.set()


def wait_until(is_so) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_running_pass_is_seen_and_stopped_in_another_session(page, visit, one_batch_only):
    page.text_input(key="criterion").set_value("the shape is")
    button(page, "Look").click().run()
    (job,) = jobs().active()
    wait_until(lambda: job.done >= 4)
    assert is_sound(page.run()) and "What it says of single pictures" in texts(page)
    other = visit("criterion")
    assert shows(page, job) and shows(other, job)
    assert is_sound(other) and "What it says of single pictures" in texts(other)
    shelf = visit("library")
    assert is_sound(shelf) and shows(shelf, job)
    assert one_batch_only.second.wait(timeout=60)
    job.cancel()
    one_batch_only.go_on.set()
    app = settled(other)
    assert is_sound(app)
    (done,) = re.findall(rf"(\d+) of {N_PHOTOS} pictures are done", texts(app))
    assert 8 <= int(done) < N_PHOTOS


def test_a_reload_while_the_model_is_loaded_keeps_the_pass_in_sight(page, visit, monkeypatch):
    """A large model takes minutes; the pass went on out of sight, and could not be stopped."""
    loaded = threading.Event()
    get = models().get
    monkeypatch.setattr(ModelCache, "get", lambda _, name: (loaded.wait(timeout=60), get(name))[1])
    page.text_input(key="criterion").set_value("the shape is")
    try:
        button(page, "Look").click().run()
        (job,) = jobs().active()
        reloaded = visit("criterion", **dict(page.query_params))
        assert shows(reloaded, job)
    finally:
        loaded.set()


def test_many_pictures_are_clustered_while_the_heatmap_is_looked_at(filled, visit, monkeypatch):
    store = workspace().open_pass(filled["collection"], filled["lens"])
    settled(visit("criterion", **filled))
    assert workspace().list_clusterings(store) == []
    monkeypatch.setattr(clustering_jobs, "MANY", N_PHOTOS)
    app = settled(visit("criterion", **filled))
    assert is_sound(app)
    (ahead,) = workspace().list_clusterings(store)
    app = settled(visit("clusters", **filled))
    assert is_sound(app) and f"{len(ahead.names)} clusters**" in texts(app)
    assert [found.key for found in workspace().list_clusterings(store)] == [ahead.key]


def test_a_clustering_that_is_asked_for_ends_the_one_begun_ahead(filled, visit, monkeypatch):
    monkeypatch.setattr(clustering_jobs, "MANY", N_PHOTOS)
    may_go_on = threading.Event()
    jobs().submit("before", lambda _job: may_go_on.wait(60), title="Before", lane="clustering")
    visit("criterion", **filled)
    (_, ahead) = jobs().active()
    visit("clusters", **filled, cell="0.1")
    assert ahead.should_stop() and len(jobs().active()) == 3
    may_go_on.set()
    visit_again = settled(visit("clusters", **filled))
    assert is_sound(visit_again) and ahead.state == "cancelled"
