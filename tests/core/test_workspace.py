"""Passes under the home folder: made, found again, damaged, deleted; the cells that they have."""

import os

import pytest

from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.errors import Cancelled, InputError, StoreError
from esmc_core.extract import run_pass
from esmc_core.workspace import Workspace
from tests.conftest import CELL, CRITERION, N_PHOTOS

SETTINGS = ClusterSettings(n_clusters=3, epochs=20)


def test_empty_home(home):
    workspace = Workspace()
    assert workspace.config.home == home
    assert workspace.library.list() == []
    assert not home.exists(), "looking makes nothing"


def test_a_finished_pass_in_the_list(workspace, collection, tiny_llava):
    (summary,) = workspace.list_passes(collection.key)
    assert (summary.criterion, summary.model) == (CRITERION, str(tiny_llava))
    assert (summary.n_done, summary.n_images) == (N_PHOTOS, N_PHOTOS)
    assert summary.used.endswith("+00:00")


def test_the_same_pass_is_opened_as_it_was_left(workspace, collection, tiny_model, store):
    again = workspace.create_pass(collection, tiny_model, "  the color of\nthe car  is ")
    assert again.key == store.key and again.is_complete


@pytest.mark.parametrize("change", [{"criterion": "the shape is"}, {"lens": "raw"}])
def test_another_criterion_or_lens_is_another_pass(
    workspace, collection, tiny_model, store, change
):
    options = {"criterion": CRITERION} | change
    other = workspace.create_pass(collection, tiny_model, options.pop("criterion"), **options)
    assert other.key != store.key and other.n_done == 0
    assert len(workspace.list_passes(collection.key)) == 2


def test_the_pass_used_last_comes_first(workspace, collection, tiny_model, store):
    other = workspace.create_pass(collection, tiny_model, "the shape is")
    os.utime(other.folder / "done.u8", (2e9, 2e9))
    keys = [summary.key for summary in workspace.list_passes(collection.key)]
    assert keys == [other.key, store.key]
    os.utime(store.folder / "done.u8", (2.1e9, 2.1e9))
    keys = [summary.key for summary in workspace.list_passes(collection.key)]
    assert keys == [store.key, other.key]


@pytest.mark.parametrize("criterion", ["", " \n", "x" * 5000, "🚗🎨"])
def test_a_criterion_that_says_nothing_leaves_nothing(workspace, collection, tiny_model, criterion):
    before = len(workspace.list_passes(collection.key))
    with pytest.raises(InputError):
        workspace.create_pass(collection, tiny_model, criterion)
    assert len(list(workspace.passes_folder(collection.key).iterdir())) == before


def test_delete_a_pass_with_its_clusterings(workspace, collection, store, found):
    workspace.delete_pass(collection.key, store.key)
    assert workspace.list_passes(collection.key) == []
    assert not store.folder.exists()
    with pytest.raises(StoreError):
        workspace.open_pass(collection.key, store.key)


def test_deleting_the_collection_takes_everything(workspace, collection, store, found):
    workspace.library.delete(collection.key)
    assert workspace.library.list() == []
    assert not store.folder.exists()


def test_a_pass_that_waited_while_its_collection_was_deleted(workspace, collection, tiny_model):
    workspace.library.delete(collection.key)
    with pytest.raises(InputError, match="collection"):
        workspace.create_pass(collection, tiny_model, "the color is")
    assert not workspace.library.folder(collection.key).exists()


@pytest.mark.parametrize("key", ["0" * 16, "", "..", "../../x", "a/b", ".hidden"])
def test_there_is_no_such_pass(workspace, collection, store, key):
    for act in (workspace.open_pass, workspace.delete_pass):
        with pytest.raises(StoreError):
            act(collection.key, key)
    assert len(workspace.list_passes(collection.key)) == 1


@pytest.mark.parametrize("record", ["", "{", "[]", "null", "3", '{"n_images": 24}', '{"x": 1}'])
def test_a_damaged_pass_is_left_out_named_and_can_be_deleted(
    workspace, collection, store, tiny_model, record
):
    other = workspace.create_pass(collection, tiny_model, "the shape is")
    (store.folder / "pass.json").write_text(record)
    assert [summary.key for summary in workspace.list_passes(collection.key)] == [other.key]
    with pytest.raises(StoreError, match=store.key):
        workspace.open_pass(collection.key, store.key)
    with pytest.raises(StoreError):
        workspace.create_pass(collection, tiny_model, CRITERION)
    assert workspace.damaged_passes(collection.key) == [store.key]
    workspace.delete_pass(collection.key, store.key)
    assert not store.folder.exists()
    assert workspace.create_pass(collection, tiny_model, CRITERION).n_done == 0


def test_a_record_that_was_changed_is_damaged(workspace, collection, store):
    """It was listed under a key that could not be opened."""
    path = store.folder / "pass.json"
    path.write_text(path.read_text().replace("the color", "the shape"))
    assert workspace.list_passes(collection.key) == []
    assert workspace.damaged_passes(collection.key) == [store.key]


@pytest.mark.parametrize("name", ["done.u8", "tokens.i32", "probabilities.f16"])
def test_a_pass_with_a_file_cut_short_is_damaged(workspace, collection, store, name):
    path = store.folder / name
    path.write_bytes(path.read_bytes()[:-1])
    assert workspace.list_passes(collection.key) == []
    with pytest.raises(StoreError, match=f"damaged .*{name}"):
        workspace.open_pass(collection.key, store.key)


def test_stray_files_among_the_records_are_no_passes(workspace, collection, store):
    passes = workspace.passes_folder(collection.key)
    (passes / ".DS_Store").write_bytes(b"\0")
    (passes / "notes.txt").write_text("mine")
    (passes / "empty").mkdir()
    assert [summary.key for summary in workspace.list_passes(collection.key)] == [store.key]
    assert workspace.damaged_passes(collection.key) == ["empty"]


def test_cells_at_the_edges(workspace, store):
    spec = store.spec
    for layer, position in [(0, 0), (spec.n_layers, spec.n_positions - 1)]:
        workspace.check_cell(store, layer, position)
    workspace.check_complete(store)


@pytest.mark.parametrize(
    ("layer", "position", "wrong", "range_"),
    [
        (-1, 0, "layer -1", "Layers run from 0 to 3."),
        (4, 0, "layer 4", "Layers run from 0 to 3."),
        (0, -1, "position -1", "Positions run from 0 to 7."),
        (0, 8, "position 8", "Positions run from 0 to 7."),
    ],
)
def test_cells_outside(workspace, store, layer, position, wrong, range_):
    assert (store.spec.n_layers, store.spec.n_positions) == (3, 8)
    with pytest.raises(InputError, match=f"There is no {wrong}") as caught:
        workspace.check_cell(store, layer, position)
    assert caught.value.hint == range_
    with pytest.raises(InputError):
        workspace.cluster(store, SETTINGS, layer=layer, position=position)


def test_a_pass_that_is_not_finished(workspace, collection, tiny_model, monkeypatch):
    monkeypatch.setattr("esmc_core.extract.default_batch_size", lambda model: 16)
    store = workspace.create_pass(collection, tiny_model, "the shape is")
    calls = iter([False, True])
    with pytest.raises(Cancelled):
        opened = workspace.image_opener(collection)
        run_pass(tiny_model, store, opened, should_stop=lambda: next(calls))
    for act in (
        lambda: workspace.check_complete(store),
        lambda: workspace.cluster(store, SETTINGS, **CELL),
    ):
        with pytest.raises(InputError, match=f"Only 16 of {N_PHOTOS} pictures"):
            act()


def test_more_clusters_than_pictures(workspace, store):
    with pytest.raises(
        InputError, match=f"{N_PHOTOS} images .*cannot form {N_PHOTOS + 1} clusters"
    ):
        workspace.cluster(store, ClusterSettings(n_clusters=N_PHOTOS + 1), **CELL)
    assert workspace.list_clusterings(store) == []
