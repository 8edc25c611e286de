"""Criteria that are typed together: one look at each picture, and what the page says of it."""

import re
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from esmc_core.feature_store import FeatureStore
from esmc_core.lens_store import LensStore
from esmc_core.records import write_json
from pages.ui.resources import jobs, workspace
from pages.ui.seen_before import SeenBefore
from tests.app.conftest import button, is_sound, settled, shows, texts
from tests.app.test_criterion import CRITERION, examples
from tests.conftest import N_PHOTOS

TOGETHER = ["the shape of the object is", "the type of it is", "the background color is"]


def fill(app, criteria):
    """Type the criteria into as many fields."""
    app.text_input(key="criterion").set_value(criteria[0])
    for number, criterion in enumerate(criteria[1:]):
        app = button(app, "Add another criterion").click().run()
        app.text_input(key=f"more_criteria-{number}").set_value(criterion)
    return app


def look(app, criteria):
    return settled(button(fill(app, criteria), "Look").click().run())


def place_of(app):
    """The key of the pass in the address."""
    key = app.query_params["lens"]
    return key if isinstance(key, str) else key[0]


def made(filled):
    return {one.criterion: one for one in workspace().list_passes(filled["collection"])}


def test_criteria_are_looked_for_together_and_the_first_is_shown(filled, visit):
    app = look(visit("criterion", collection=filled["collection"]), TOGETHER)
    assert is_sound(app) and "suggested ★" in texts(app)
    assert "3 criteria in one look at each picture." in texts(app)
    passes = made(filled)
    assert set(passes) == {CRITERION, *TOGETHER}
    assert all(one.n_done == N_PHOTOS for one in passes.values())
    assert place_of(app) == passes[TOGETHER[0]].key
    assert examples(app).options[:3] == TOGETHER
    assert examples(app).value == TOGETHER[0], "the one that is shown is marked"
    app = settled(examples(app).set_value(TOGETHER[2]).run())
    assert place_of(app) == passes[TOGETHER[2]].key
    assert examples(app).value == TOGETHER[2]
    assert "Kept from before" in texts(app)
    assert [one.key for one in app.text_input if str(one.key).startswith("more")] == []


def test_fields_keep_their_words_when_the_page_is_left_and_empty_ones_go(filled, visit):
    app = fill(visit("criterion", **filled), TOGETHER)
    app.text_input(key="more_criteria-0").set_value("  ")
    app = settled(button(app, "Look").click().run())
    assert is_sound(app) and set(made(filled)) == {CRITERION, TOGETHER[0], TOGETHER[2]}
    assert app.text_input(key="more_criteria-0").value == TOGETHER[2]
    app.switch_page("../settings.py").run()
    app.switch_page("../criterion.py").run()
    assert app.text_input(key="more_criteria-0").value == TOGETHER[2]


def test_what_was_looked_for_and_seen_before_is_kept(filled, visit):
    app = visit("criterion", collection=filled["collection"])
    app = look(app, [CRITERION, TOGETHER[0]])
    assert "1 of 2 criteria kept from before." in texts(look(app, [CRITERION, TOGETHER[1]]))
    app = look(visit("criterion", collection=filled["collection"]), [TOGETHER[2]])
    reused = f"Looked at the pictures already: {N_PHOTOS} of {N_PHOTOS} reused"
    assert reused in texts(app) and "looked at again" not in texts(app)


def test_a_model_that_sees_too_much_to_keep_looks_again(filled, visit, monkeypatch):
    monkeypatch.setattr("esmc_core.feature_store.MAX_KB", 0)
    app = look(visit("criterion", collection=filled["collection"]), [TOGETHER[2]])
    assert "Each picture was looked at again" in texts(app)
    assert not (workspace().library.folder(filled["collection"]) / "features").exists()


def test_how_much_time_what_was_seen_saves(tmp_path):
    features = FeatureStore.create(tmp_path, "m", n_images=64, shape=(2, 3))
    features.keep_pace(0.5)
    features.put(np.arange(60), np.zeros((60, 2, 3)))
    features.commit()
    store = SimpleNamespace(done=np.zeros(64, np.uint8))
    seen = SeenBefore(features, [store])
    assert seen.tell(0) == "Looked at the pictures already: 60 of 64 reused."
    pattern = r"60 of 64 reused, \d+\.\d ms a picture instead of 500\.0\.$"
    assert re.search(pattern, seen.tell(64))
    assert SeenBefore(None, [store]).tell(64) == ""


def test_a_criterion_that_cannot_be_read_stops_all_of_them(filled, visit):
    app = look(visit("criterion", collection=filled["collection"]), [TOGETHER[0], "the <image> is"])
    assert "control token" in app.error[0].value
    assert set(made(filled)) == {CRITERION}


def test_a_family_that_reads_them_one_by_one(filled, visit, tiny_family):
    folder = str(tiny_family("paligemma"))
    write_json(workspace().config.home / "preferences.json", {"model": folder})
    app = look(visit("criterion", collection=filled["collection"]), TOGETHER[:2])
    assert is_sound(app)
    assert "2 criteria one by one: PaliGemma sees a picture in the light of" in texts(app)


@pytest.fixture
def held(monkeypatch):
    """No pass writes a batch before it is set."""
    go_on, put = threading.Event(), LensStore.put
    monkeypatch.setattr(
        LensStore, "put", lambda store, *batch: (go_on.wait(timeout=60), put(store, *batch))[1]
    )
    yield go_on
    go_on.set()


def test_one_of_a_running_look_is_found_and_more_than_it_are_added(filled, visit, held):
    app = visit("criterion", collection=filled["collection"])
    button(fill(app, TOGETHER[:2]), "Look").click().run()
    (job,) = jobs().active()
    second = visit("criterion", collection=filled["collection"])
    second = button(fill(second, [TOGETHER[1]]), "Look").click().run()
    assert jobs().active() == [job] and shows(second, job)
    third = visit("criterion", collection=filled["collection"])
    third = button(fill(third, [TOGETHER[1], TOGETHER[2]]), "Look").click().run()
    assert len(jobs().active()) == 2 and shows(third, job)
    held.set()
    third = settled(third)
    assert is_sound(third)
    passes = made(filled)
    assert all(one.n_done == N_PHOTOS for one in passes.values()) and len(passes) == 4
    assert place_of(third) == passes[TOGETHER[1]].key
