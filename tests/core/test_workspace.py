"""What lies under the home folder: made, found again, renamed, damaged, deleted."""

import io
import json
import os
import shutil

import numpy as np
import pytest

from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.errors import Cancelled, InputError, StoreError
from esmc_core.extract import run_hidden_pass, run_pass
from esmc_core.models.loading import load_model
from esmc_core.workspace import Workspace
from tests.conftest import N_PHOTOS

CRITERION = "the color of the car is"
SETTINGS = ClusterSettings(n_clusters=3, epochs=20)
CELL = {"layer": 2, "position": 3}


@pytest.fixture(scope="module")
def model(tiny_llava):
    return load_model(str(tiny_llava), device="cpu")


@pytest.fixture(scope="module")
def filled_home(model, mixed_photos, tmp_path_factory):
    """A home with one collection and one finished pass over it."""
    home = tmp_path_factory.mktemp("filled") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESMC_HOME", str(home))
        workspace = Workspace()
        collection = workspace.library.read_folder(mixed_photos)
        store = workspace.create_pass(collection, model, CRITERION)
        run_pass(model, store, workspace.image_opener(collection))
    return home


@pytest.fixture
def workspace(filled_home, home) -> Workspace:
    shutil.copytree(filled_home, home)
    return Workspace()


@pytest.fixture
def collection(workspace):
    (summary,) = workspace.library.list()
    return workspace.library.load(summary.key)


@pytest.fixture
def store(workspace, collection):
    (summary,) = workspace.list_passes(collection.key)
    return workspace.open_pass(collection.key, summary.key)


@pytest.fixture
def found(workspace, store):
    return workspace.cluster(store, SETTINGS, **CELL)


def forbid(monkeypatch, name: str) -> None:
    """Let the test fail if the function of that name runs."""
    monkeypatch.setattr(name, lambda *_, **__: pytest.fail(f"{name} ran"))


# --- passes -----------------------------------------------------------------------------------


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


def test_the_same_pass_is_opened_as_it_was_left(workspace, collection, model, store):
    again = workspace.create_pass(collection, model, "  the color of\nthe car  is ")
    assert again.key == store.key and again.is_complete


@pytest.mark.parametrize("change", [{"criterion": "the shape is"}, {"lens": "raw"}])
def test_another_criterion_or_lens_is_another_pass(workspace, collection, model, store, change):
    options = {"criterion": CRITERION} | change
    other = workspace.create_pass(collection, model, options.pop("criterion"), **options)
    assert other.key != store.key and other.n_done == 0
    assert len(workspace.list_passes(collection.key)) == 2


def test_the_pass_used_last_comes_first(workspace, collection, model, store):
    other = workspace.create_pass(collection, model, "the shape is")
    os.utime(other.folder / "done.u8", (2e9, 2e9))
    keys = [summary.key for summary in workspace.list_passes(collection.key)]
    assert keys == [other.key, store.key]
    os.utime(store.folder / "done.u8", (2.1e9, 2.1e9))
    keys = [summary.key for summary in workspace.list_passes(collection.key)]
    assert keys == [store.key, other.key]


@pytest.mark.parametrize("criterion", ["", " \n", "x" * 5000, "🚗🎨"])
def test_a_criterion_that_says_nothing_leaves_nothing(workspace, collection, model, criterion):
    before = len(workspace.list_passes(collection.key))
    with pytest.raises(InputError):
        workspace.create_pass(collection, model, criterion)
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


@pytest.mark.parametrize("key", ["0" * 16, "", "..", "../../x", "a/b", ".hidden"])
def test_there_is_no_such_pass(workspace, collection, store, key):
    for act in (workspace.open_pass, workspace.delete_pass):
        with pytest.raises(StoreError):
            act(collection.key, key)
    assert len(workspace.list_passes(collection.key)) == 1


@pytest.mark.parametrize("record", ["", "{", "[]", "null", "3", '{"n_images": 40}', '{"x": 1}'])
def test_a_damaged_pass_is_left_out_named_and_can_be_deleted(
    workspace, collection, store, model, record
):
    other = workspace.create_pass(collection, model, "the shape is")
    (store.folder / "pass.json").write_text(record)
    assert [summary.key for summary in workspace.list_passes(collection.key)] == [other.key]
    with pytest.raises(StoreError, match=store.key):
        workspace.open_pass(collection.key, store.key)
    with pytest.raises(StoreError):
        workspace.create_pass(collection, model, CRITERION)
    workspace.delete_pass(collection.key, store.key)
    assert not store.folder.exists()
    assert workspace.create_pass(collection, model, CRITERION).n_done == 0


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


# --- clusterings ------------------------------------------------------------------------------


def test_a_clustering_is_kept_and_reopened_without_computing(workspace, store, found, monkeypatch):
    forbid(monkeypatch, "esmc_core.cluster.pipeline.cluster_distributions")
    again = workspace.cluster(store, SETTINGS, **CELL)
    assert (again.labels == found.labels).all()
    assert (again.confidence == found.confidence).all()
    assert (again.names, again.key) == (found.names, found.key)
    assert again.dominant_tokens == found.dominant_tokens
    assert [kept.key for kept in workspace.list_clusterings(store)] == [found.key]


def test_other_settings_or_cells_are_other_clusterings(workspace, store, found):
    others = [
        workspace.cluster(store, ClusterSettings(n_clusters=2, epochs=20), **CELL),
        workspace.cluster(store, ClusterSettings(n_clusters=3, epochs=20, seed=1), **CELL),
        workspace.cluster(store, SETTINGS, layer=2, position=4),
    ]
    kept = workspace.list_clusterings(store)
    assert len(kept) == 4
    assert {one.key for one in kept} == {one.key for one in [found, *others]}


def test_the_clustering_changed_last_comes_first(workspace, store, found):
    other = workspace.cluster(store, SETTINGS, layer=2, position=4)
    for key, time in [(found.key, 2e9), (other.key, 2.1e9)]:
        os.utime(store.folder / "clusterings" / key / "clustering.json", (time, time))
    assert [kept.key for kept in workspace.list_clusterings(store)] == [other.key, found.key]
    workspace.rename_cluster(store, found.key, 0, "mine")
    os.utime(store.folder / "clusterings" / found.key / "clustering.json", (2.2e9, 2.2e9))
    assert [kept.key for kept in workspace.list_clusterings(store)] == [found.key, other.key]


def test_rename_and_undo(workspace, store, found):
    own = found.names
    renamed = workspace.rename_cluster(store, found.key, 1, "  fire   engine ")
    assert renamed.names == [own[0], "fire engine", own[2]]
    assert workspace.open_clustering(store, found.key).names == renamed.names
    assert workspace.cluster(store, SETTINGS, **CELL).names == renamed.names
    workspace.rename_cluster(store, found.key, 1, "")
    assert workspace.open_clustering(store, found.key).names == own
    workspace.rename_cluster(store, found.key, 1, own[1])
    assert workspace.open_clustering(store, found.key).user_names == {}


@pytest.mark.parametrize(("cluster", "name"), [(3, "x"), (-1, "x"), (0, "x" * 81)])
def test_a_name_that_cannot_be(workspace, store, found, cluster, name):
    with pytest.raises(InputError):
        workspace.rename_cluster(store, found.key, cluster, name)
    assert workspace.open_clustering(store, found.key).user_names == {}


def test_delete_a_clustering(workspace, store, found):
    other = workspace.cluster(store, SETTINGS, layer=2, position=4)
    workspace.delete_clustering(store, found.key)
    assert [kept.key for kept in workspace.list_clusterings(store)] == [other.key]
    with pytest.raises(StoreError):
        workspace.open_clustering(store, found.key)


@pytest.mark.parametrize("key", ["0" * 16, "", "..", "../clusterings/{}", "{}/"])
def test_there_is_no_such_clustering(workspace, store, found, key):
    """A key comes out of the address; one that led elsewhere was followed."""
    key = key.format(found.key)
    for act in (workspace.open_clustering, workspace.delete_clustering):
        with pytest.raises(StoreError):
            act(store, key)
    assert len(workspace.list_clusterings(store)) == 1


def damage(folder, name: str, content: bytes | None) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", ["clustering.json", "arrays.npz"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe"])
def test_a_damaged_clustering_is_left_out_and_made_anew(workspace, store, found, name, content):
    """It could be neither shown nor made again until somebody found its folder."""
    folder = store.folder / "clusterings" / found.key
    other = workspace.cluster(store, SETTINGS, layer=2, position=4)
    damage(folder, name, content)
    assert [kept.key for kept in workspace.list_clusterings(store)] == [other.key]
    with pytest.raises(StoreError, match=found.key):
        workspace.open_clustering(store, found.key)
    again = workspace.cluster(store, SETTINGS, **CELL)
    assert (again.labels == found.labels).all()
    assert (workspace.open_clustering(store, found.key).labels == found.labels).all()


def test_a_damaged_clustering_can_be_deleted(workspace, store, found):
    folder = store.folder / "clusterings" / found.key
    damage(folder, "clustering.json", b"{")
    workspace.delete_clustering(store, found.key)
    assert not folder.exists()


def test_stopped_clustering_leaves_nothing(workspace, store):
    with pytest.raises(Cancelled):
        workspace.cluster(store, SETTINGS, **CELL, should_stop=lambda: True)
    assert workspace.list_clusterings(store) == []


def test_progress_is_told(workspace, store):
    told = []
    workspace.cluster(store, SETTINGS, **CELL, progress=lambda *step: told.append(step))
    done = [step for step, _ in told]
    assert done == sorted(done) and told[-1][0] == told[-1][1]


def test_hidden_states_are_clustered(workspace, collection, model, store):
    settings = ClusterSettings(n_clusters=3, epochs=20, representation="hidden")
    opened = workspace.image_opener(collection)
    hidden = run_hidden_pass(model, store, opened, **CELL)
    found = workspace.cluster(store, settings, **CELL, hidden=hidden)
    assert found.settings.representation == "hidden"
    assert (workspace.cluster(store, settings, **CELL).labels == found.labels).all()


# --- cells ------------------------------------------------------------------------------------


def test_cells_at_the_edges(workspace, store):
    spec = store.spec
    for layer, position in [(0, 0), (spec.n_layers, spec.n_positions - 1)]:
        workspace.check_cell(store, layer, position)
    workspace.check_complete(store)


@pytest.mark.parametrize(("layer", "position"), [(-1, 0), (4, 0), (0, -1), (0, 8)])
def test_cells_outside(workspace, store, layer, position):
    assert (store.spec.n_layers, store.spec.n_positions) == (3, 8)
    with pytest.raises(InputError, match=f"layer {layer}, position {position}") as caught:
        workspace.check_cell(store, layer, position)
    assert "from 0 to 3" in caught.value.hint and "from 0 to 7" in caught.value.hint
    with pytest.raises(InputError):
        workspace.cluster(store, SETTINGS, layer=layer, position=position)


def test_a_pass_that_is_not_finished(workspace, collection, model):
    store = workspace.create_pass(collection, model, "the shape is")
    calls = iter([False, True])
    with pytest.raises(Cancelled):
        opened = workspace.image_opener(collection)
        run_pass(model, store, opened, should_stop=lambda: next(calls))
    for act in (
        lambda: workspace.check_complete(store),
        lambda: workspace.cluster(store, SETTINGS, **CELL),
    ):
        with pytest.raises(InputError, match=f"Only 16 of {N_PHOTOS} pictures"):
            act()


def test_more_clusters_than_pictures(workspace, store):
    with pytest.raises(InputError, match=f"{N_PHOTOS} images .*cannot form 41 clusters"):
        workspace.cluster(store, ClusterSettings(n_clusters=41), **CELL)
    assert workspace.list_clusterings(store) == []


# --- tables and maps --------------------------------------------------------------------------


def test_the_table_has_a_row_for_every_file(workspace, collection, store, found):
    table = workspace.table(collection, store, found)
    files = [picture.file for picture in collection.pictures]
    copies = {copy.file: copy.of for copy in collection.duplicates}
    assert len(copies) == 2
    assert list(table["file"]) == sorted([*files, *copies])
    by_file = table.set_index("file")
    assert list(by_file.loc[files, "cluster"]) == [label + 1 for label in found.labels]
    for copy, original in copies.items():
        assert by_file.loc[copy, "duplicate_of"] == original
        assert by_file.loc[copy, "cluster"] == by_file.loc[original, "cluster"]
    assert set(table["criterion"]) == {CRITERION}
    assert set(table["layer"]) == {2} and set(table["position"]) == {3}


def test_the_table_tells_the_names_that_were_given(workspace, collection, store, found):
    renamed = workspace.rename_cluster(store, found.key, 0, "mine")
    table = workspace.table(collection, store, renamed)
    assert set(table[table["cluster"] == 1]["name"]) == {"mine"}


def some_points(rows) -> np.ndarray:
    return np.arange(2 * rows.shape[0], dtype=np.float32).reshape(-1, 2)


def test_a_map_is_kept(workspace, store, found):
    assert workspace.find_layout(store, found) is None
    seen = []
    points = workspace.lay_out(store, found, lambda rows: (seen.append(rows), some_points(rows))[1])
    assert (workspace.find_layout(store, found) == points).all()
    assert seen[0].shape == (N_PHOTOS, store.spec.n_vocab)
    assert np.allclose(
        seen[0].power(2).sum(axis=1),
        store.cell(**CELL).probabilities.sum(axis=1)[:, None],
        atol=1e-3,
    )


def test_maps_do_not_hang_on_the_number_of_clusters(workspace, store, found):
    workspace.lay_out(store, found, some_points)
    same = workspace.cluster(store, ClusterSettings(n_clusters=2, epochs=20, seed=3), **CELL)
    assert workspace.find_layout(store, same) is not None
    cell = workspace.cluster(store, SETTINGS, layer=2, position=4)
    assert workspace.find_layout(store, cell) is None
    euclidean = ClusterSettings(n_clusters=3, epochs=20, geometry="euclidean")
    assert workspace.find_layout(store, workspace.cluster(store, euclidean, **CELL)) is None


def test_a_map_of_hidden_states(workspace, collection, model, store):
    hidden = run_hidden_pass(model, store, workspace.image_opener(collection), **CELL)
    settings = ClusterSettings(n_clusters=3, epochs=20, representation="hidden")
    found = workspace.cluster(store, settings, **CELL, hidden=hidden)
    seen = []
    workspace.lay_out(store, found, lambda rows: (seen.append(rows), some_points(rows))[1])
    assert np.allclose(seen[0], hidden, atol=1e-3)


def test_hidden_states_that_are_gone(workspace, collection, model, store):
    settings = ClusterSettings(n_clusters=3, epochs=20, representation="hidden")
    with pytest.raises(InputError, match="hidden states are needed"):
        workspace.cluster(store, settings, **CELL)
    hidden = run_hidden_pass(model, store, workspace.image_opener(collection), **CELL)
    found = workspace.cluster(store, settings, **CELL, hidden=hidden)
    (store.folder / "hidden_2_3.npy").unlink()
    with pytest.raises(StoreError, match="hidden_2_3"):
        workspace.lay_out(store, found, some_points)


def _saved(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no array", _saved(np.zeros((N_PHOTOS, 2)))[:-8], _saved(np.zeros((3, 2)))],
    ids=["empty", "no array", "cut short", "of other pictures"],
)
def test_a_damaged_map_is_laid_out_anew(workspace, store, found, content):
    workspace.lay_out(store, found, some_points)
    (path,) = (store.folder / "layouts").glob("*.npy")
    path.write_bytes(content)
    assert workspace.find_layout(store, found) is None
    workspace.lay_out(store, found, some_points)
    assert workspace.find_layout(store, found) is not None


def test_pictures_are_opened_by_number(workspace, collection):
    opened = workspace.image_opener(collection)
    number = next(i for i, one in enumerate(collection.pictures) if "white-02" in one.file)
    red, _, blue = np.asarray(opened(number)).mean(axis=(0, 1))
    assert red > 200 and blue > 200


def test_records_are_plain_json(store, found):
    for path in store.folder.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
