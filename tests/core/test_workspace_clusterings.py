"""Clusterings under the home folder: kept, renamed, damaged, deleted; their tables and maps."""

import io
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.errors import Cancelled, InputError, StoreError
from esmc_core.extract import run_hidden_pass
from tests.conftest import CELL, CRITERION, N_PHOTOS

SETTINGS = ClusterSettings(n_clusters=3, epochs=20)


def forbid(monkeypatch, name: str) -> None:
    """Let the test fail if the function of that name runs."""
    monkeypatch.setattr(name, lambda *_, **__: pytest.fail(f"{name} ran"))


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


def test_a_pass_that_is_deleted_meanwhile_does_not_come_back(workspace, store):
    def delete(done: int, total: int) -> None:
        if done == total:
            workspace.delete_pass(store.spec.collection, store.key)

    with pytest.raises(StoreError, match="deleted"):
        workspace.cluster(store, SETTINGS, **CELL, progress=delete)
    assert not store.folder.exists()


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


@pytest.mark.parametrize("use_head", [True, False])
def test_progress_is_told(workspace, store, use_head):
    told = []
    settings = replace(SETTINGS, use_head=use_head)
    workspace.cluster(store, settings, **CELL, progress=lambda *step: told.append(step))
    done = [step for step, _ in told]
    assert done == sorted(done) and told[-1][0] == told[-1][1]


def test_hidden_states_are_clustered(workspace, collection, tiny_model, store):
    settings = ClusterSettings(n_clusters=3, epochs=20, representation="hidden")
    opened = workspace.image_opener(collection)
    hidden = run_hidden_pass(tiny_model, store, opened, **CELL)
    found = workspace.cluster(store, settings, **CELL, hidden=hidden)
    assert found.settings.representation == "hidden"
    assert (workspace.cluster(store, settings, **CELL).labels == found.labels).all()


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


def some_points(rows, *, init=None) -> np.ndarray:
    return np.arange(2 * rows.shape[0], dtype=np.float32).reshape(-1, 2)


def recording(seen: list):
    """Lays out some points, and keeps the rows that it was given."""

    def project(rows, **options) -> np.ndarray:
        seen.append(rows)
        return some_points(rows, **options)

    return project


def test_a_map_is_kept(workspace, store, found):
    assert workspace.find_layout(store, found) is None
    seen = []
    points = workspace.lay_out(store, found, recording(seen))
    assert (workspace.find_layout(store, found) == points).all()
    assert seen[0].shape == (N_PHOTOS, store.spec.n_vocab)
    assert np.allclose(
        seen[0].power(4).sum(axis=1),
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


def test_a_map_starts_from_the_last_one_of_the_pass(workspace, store, found):
    """Each new cell turned and mirrored the map at random."""
    starts = []
    for position in (3, 4, 5):
        clustering = workspace.cluster(store, SETTINGS, layer=2, position=position)
        layout = np.full((N_PHOTOS, 2), position, dtype=np.float32)
        workspace.lay_out(
            store, clustering, lambda _, init, layout=layout: (starts.append(init), layout)[1]
        )
    assert starts[0] is None
    assert [start[0, 0] for start in starts[1:]] == [3, 4]


def test_a_map_of_hidden_states(workspace, collection, tiny_model, store):
    hidden = run_hidden_pass(tiny_model, store, workspace.image_opener(collection), **CELL)
    settings = ClusterSettings(n_clusters=3, epochs=20, representation="hidden")
    found = workspace.cluster(store, settings, **CELL, hidden=hidden)
    seen = []
    workspace.lay_out(store, found, recording(seen))
    assert np.allclose(seen[0], hidden, atol=1e-3)


def test_hidden_states_that_are_gone(workspace, collection, tiny_model, store):
    settings = ClusterSettings(n_clusters=3, epochs=20, representation="hidden")
    with pytest.raises(InputError, match="hidden states are needed"):
        workspace.cluster(store, settings, **CELL)
    hidden = run_hidden_pass(tiny_model, store, workspace.image_opener(collection), **CELL)
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
