"""Every page as the first that is asked for: of an empty home, a filled one, a damaged one."""

import json

import pytest

from pages.ui.navigation import TITLES
from tests.app.conftest import button, is_sound, settled, texts

PAGES = list(TITLES)
WAY_ON = {
    "criterion": ("needs pictures", "Choose pictures"),
    "clusters": ("need pictures", "Choose pictures"),
    "questions": ("Questions need texts", "Add texts"),
    "text_clusters": ("Clusters need texts", "Add texts"),
    "library": ("no collections yet", "Add pictures"),
}


@pytest.mark.parametrize("page", PAGES)
def test_empty_home(page, visit):
    app = visit(page)
    assert is_sound(app) and texts(app)
    assert is_sound(app.run())


@pytest.mark.parametrize(("page", "way_on"), WAY_ON.items())
def test_empty_page_tells_what_to_do_and_leads_there(page, way_on, visit):
    app = visit(page)
    message, label = way_on
    assert message in texts(app)
    button(app, label).click().run()
    assert is_sound(app)
    about = "texts" if label == "Add texts" else "pictures"
    assert app.title[0].value == f"Sort {about} by what you ask of them"


def test_clusters_without_a_criterion_lead_to_it(filled, visit):
    app = visit("clusters", collection=filled["collection"])
    assert "Say first what the pictures" in texts(app)
    button(app, "Type a criterion").click().run()
    assert is_sound(app)
    assert app.title[0].value == "What should the pictures be sorted by?"


@pytest.mark.parametrize("page", PAGES)
def test_filled_home(page, clustered, visit):
    app = settled(visit(page, **clustered))
    assert is_sound(app)
    assert dict(app.query_params) == clustered or page == "settings"


@pytest.mark.parametrize("page", PAGES)
def test_the_app_opens_where_it_was_left(page, clustered, visit):
    settled(visit("clusters", **clustered))
    app = settled(visit(page))
    assert is_sound(app)
    if page == "clusters":
        assert "3 clusters" in texts(app)
    if page == "images":
        assert app.title[0].value == "mixed"


ANY, ASKED = ("images", "criterion", "clusters"), ("criterion", "clusters")
NOWHERE = [
    *((page, {"collection": key}) for page in ANY for key in ("0" * 16, "../../etc", "🚗")),
    *((page, {"lens": key}) for page in ASKED for key in ("0" * 16, "..")),
    *((page, {"cell": cell}) for page in ASKED for cell in ("99.99", "-1.-1", "a.b", "1.2.3")),
    *(("clusters", {"clusters": key}) for key in ("0" * 16, "../../..")),
]


@pytest.mark.parametrize(("page", "change"), NOWHERE)
def test_address_that_leads_nowhere(page, change, clustered, visit):
    """A stale or mistyped link opens what there is of it."""
    app = settled(visit(page, **(clustered | change)))
    assert is_sound(app)
    assert is_sound(app.run())


DAMAGED = [
    *((name, content) for name in ("place.json", "preferences.json") for content in ("", "{")),
    *(("preferences.json", content) for content in ("null", '"x"', "[]", "3")),
    *(("place.json", it) for it in ("null", '"x"', "[]", "3")),
    ("place.json", '{"collection": [1]}'),
]


@pytest.mark.parametrize(("name", "content"), DAMAGED)
def test_damaged_memory_of_the_app(name, content, server, visit):
    (server / name).write_text(content)
    assert is_sound(visit("images"))
    assert is_sound(visit("settings"))


@pytest.mark.parametrize(
    ("page", "remembered"),
    [
        ("criterion", {"score": "beauty"}),
        ("settings", {"model": ["a"]}),
        ("criterion", {"score": "keywords", "keywords": []}),
        ("settings", {"lens": "gone"}),
        ("criterion", {"criteria": None}),
        ("clusters", {"clustering": {"alpha": "much"}}),
        ("clusters", {"clustering": {"representation": "pixels"}}),
    ],
)
def test_choices_of_another_version(page, remembered, filled, server, visit):
    (server / "preferences.json").write_text(json.dumps(remembered))
    assert is_sound(settled(visit(page, **filled)))


def test_damaged_records_are_passed_over(clustered, store, workspace, visit):
    (store.folder / "clusterings" / clustered["clusters"] / "clustering.json").write_text("{")
    app = settled(visit("clusters", **clustered))
    assert is_sound(app) and "cluster" in texts(app)
    (store.folder / "pass.json").write_text("{")
    for page in PAGES:
        assert is_sound(settled(visit(page, **clustered)))
    folder = workspace.library.folder(clustered["collection"])
    (folder / "collection.json").write_text("{")
    for page in PAGES:
        assert is_sound(settled(visit(page, **clustered)))
