"""A folder of every family is taken by the settings, and a pass runs with it."""

import pytest

from pages.ui import preferences
from pages.ui.resources import workspace
from tests.app.conftest import button, is_sound, settled, texts
from tests.conftest import N_PHOTOS
from tests.tiny_families import TINY


@pytest.mark.parametrize("name", TINY)
def test_a_folder_is_chosen_and_a_pass_runs(name, filled, visit, tiny_family):
    folder = str(tiny_family(name))
    settings = visit("settings")
    (box,) = [one for one in settings.text_input if one.label == "Another model"]
    box.set_value(folder)
    settings = button(settings, "Use this model").click().run()
    assert is_sound(settings) and "New passes use" in texts(settings)
    assert preferences.model_name() == folder
    app = visit("criterion", collection=filled["collection"])
    app.text_input(key="criterion").set_value("the shape of the object is")
    app = settled(button(app, "Look").click().run())
    assert is_sound(app) and "suggested ★" in texts(app)
    passes = workspace().list_passes(filled["collection"])
    (made,) = [one for one in passes if one.criterion == "the shape of the object is"]
    assert made.model == folder and made.n_done == N_PHOTOS
