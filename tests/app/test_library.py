"""All that was made, listed: reopened, renamed, deleted."""

import re
from dataclasses import replace

import pytest
import streamlit as st

from esmc_core.lens_store import LensStore
from pages.ui.guard import escape
from pages.ui.lens_views import cell_name, shown_tokens
from pages.ui.resources import workspace
from tests.app.conftest import button, is_sound, settled, texts
from tests.conftest import CRITERION, N_PHOTOS


@pytest.fixture
def app(clustered, visit):
    settled(visit("images", **clustered))  # which reads the collection
    return visit("library", **clustered)


def test_everything_is_listed(app, clustered):
    assert is_sound(app)
    assert f"{N_PHOTOS} pictures" in texts(app)
    labels = [one.label for one in app.button]
    assert any(label.startswith(CRITERION) for label in labels)
    (row,) = [one for one in app.button if one.label.startswith("3 clusters")]
    assert re.search(r" · layer \d, at “.+” \(\d\)$", row.label)
    assert re.fullmatch("words, ⁴√p · (head with α = .*|K-means alone) · seed 0", row.proto.help)


def test_passes_of_a_model_before_and_after_it_changed_are_told_apart(app, clustered, visit):
    passes = workspace().passes_folder(clustered["collection"])
    spec = workspace().open_pass(clustered["collection"], clustered["lens"]).spec
    LensStore.create(passes, replace(spec, fingerprint="0" * 16), [])
    labels = [one.label for one in visit("library").button if one.label.startswith(CRITERION)]
    assert {label.partition(" · weights ")[2] for label in labels} == {
        "000000 · 0 done",
        spec.fingerprint[:6],
    }


def test_a_token_that_stands_twice_comes_with_its_position(app, clustered):
    store = workspace().open_pass(clustered["collection"], clustered["lens"])
    tokens = [token.strip() for token in shown_tokens(store)]
    twice = [i for i, token in enumerate(tokens) if tokens.count(token) > 1]
    names = [cell_name(store, (2, position)) for position in range(len(tokens))]
    assert twice and len(set(names)) == len(names)
    assert names[twice[0]] == f"layer 2, at “{tokens[twice[0]]}” ({twice[0]})"


def test_open_each(app, clustered, visit):
    button(app, "Open").click().run()
    assert app.title[0].value == "mixed"
    app = visit("library")
    next(one for one in app.button if one.label.startswith(CRITERION)).click().run()
    assert is_sound(app) and "What it says of single pictures" in texts(app)
    app = visit("library")
    next(one for one in app.button if one.label.startswith("3 clusters")).click().run()
    assert is_sound(app) and "Clusters by" in app.title[0].value


def test_delete_the_collection(app, clustered, visit):
    app.button(key=f"sure-{clustered['collection']}").click().run()
    assert is_sound(app)
    assert workspace().library.list() == []
    assert "no collections yet" in texts(app)
    for page in ("images", "criterion", "clusters"):
        assert is_sound(settled(visit(page)))


def test_a_deleted_collection_is_gone_in_another_window_too(app, clustered, visit):
    """A window that has it open, or an old link to it."""
    app.button(key=f"sure-{clustered['collection']}").click().run()
    other = settled(visit("images", **clustered))
    assert is_sound(other)
    assert other.title[0].value == "Sort pictures by what you ask of them"


def test_delete_the_pass(app, clustered, visit):
    app.button(key=f"sure-{clustered['lens']}").click().run()
    assert is_sound(app)
    assert workspace().list_passes(clustered["collection"]) == []
    assert CRITERION not in texts(app)
    assert "Say first what" in texts(settled(visit("clusters", **clustered)))


def test_delete_the_clustering(app, clustered, store):
    app.button(key=f"sure-{clustered['clusters']}").click().run()
    assert is_sound(app)
    assert workspace().list_clusterings(store) == []


def test_rename_the_collection(app, clustered, visit):
    app.text_input(key=f"name-{clustered['collection']}").set_value("My cars").run()
    app.button(key=f"save-{clustered['collection']}").click().run()
    assert is_sound(app)
    assert app.subheader[0].value == "My cars"
    (summary,) = workspace().library.list()
    assert summary.name == "My cars"


def test_the_new_name_is_on_every_page(app, clustered, visit):
    app.text_input(key=f"name-{clustered['collection']}").set_value("My cars").run()
    app.button(key=f"save-{clustered['collection']}").click().run()
    assert visit("images", **clustered).title[0].value == "My cars"


def test_a_collection_needs_a_name(app, clustered):
    app.text_input(key=f"name-{clustered['collection']}").set_value("  ").run()
    app.button(key=f"save-{clustered['collection']}").click().run()
    assert "needs a name" in app.error[0].value
    (summary,) = workspace().library.list()
    assert summary.name == "mixed"


@pytest.mark.parametrize("name", ["*stars* and _lines_", "a $x$ b :red[no]"])
def test_names_are_no_markdown(app, clustered, visit, name):
    workspace().library.rename(clustered["collection"], name)
    st.cache_data.clear()
    shown = visit("library").subheader[0].value
    assert shown == escape(name)
    assert visit("images", **clustered).title[0].value == escape(name)


def test_a_damaged_collection_can_be_deleted(app, clustered, visit):
    key = clustered["collection"]
    (workspace().library.folder(key) / "collection.json").write_text("{")
    app = visit("library")
    assert is_sound(app)
    app.button(key=f"sure-{key}").click().run()
    assert is_sound(app) and workspace().library.list() == []


def test_a_damaged_pass_can_be_deleted(app, clustered, store, visit):
    """Nothing else frees its criterion: asking it again says that the pass is damaged."""
    (store.folder / "pass.json").write_text("{")
    app = visit("library")
    app.button(key=f"sure-{clustered['lens']}").click().run()
    assert is_sound(app) and not store.folder.exists()
