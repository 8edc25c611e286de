"""From distributions to a named clustering, and to disk and back."""

import json

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from esmc_core.cluster.clustering import (
    ClusterSettings,
    Source,
    clustering_key,
    load_clustering,
    save_clustering,
    save_names,
)
from esmc_core.cluster.pipeline import (
    cluster_distributions,
    cluster_hidden_states,
    vocabulary_rows,
)
from esmc_core.errors import InputError, StoreError
from tests.tiny_lens import coloured_cars, distributions_of, token_texts

CARS = {"black": 14, "red": 10, "white": 6}


@pytest.fixture(scope="module")
def clustering():
    distributions, _ = coloured_cars(CARS)
    settings = ClusterSettings(n_clusters=3, epochs=60)
    return cluster_distributions(
        distributions, token_texts, settings=settings, source=Source("pass", 5, 7)
    )


def test_coloured_cars_are_found_named_and_coloured(clustering):
    _, truth = coloured_cars(CARS)
    assert [clustering.names[label] for label in clustering.labels] == truth
    assert clustering.sizes.tolist() == [14, 10, 6]
    assert clustering.colours[1:] == ["#cf2e2a", "#ffffff"]


@pytest.mark.parametrize(
    "changed",
    [
        {"geometry": "hellinger"},
        {"geometry": "euclidean"},
        {"merge_spelling": False},
        {"use_head": False},
    ],
)
def test_every_setting_works(changed):
    distributions, truth = coloured_cars(CARS)
    before = distributions.tokens.copy()
    settings = ClusterSettings(n_clusters=3, epochs=60, **changed)
    found = cluster_distributions(distributions, token_texts, settings=settings)
    assert adjusted_rand_score(truth, found.labels) == 1.0
    np.testing.assert_array_equal(distributions.tokens, before)


@pytest.mark.parametrize(
    ("geometry", "together", "apart"),
    [("fourth_root", 0.25**0.25, 0.16**0.25), ("hellinger", 0.5, 0.4), ("euclidean", 0.25, 0.16)],
)
def test_rows_are_roots_and_spelling_is_merged(geometry, together, apart):
    rows = distributions_of([{"▁red": 0.16, "Red": 0.09}])
    for merge, largest in ((True, together), (False, apart)):
        settings = ClusterSettings(geometry=geometry, merge_spelling=merge)
        found = vocabulary_rows(rows, token_texts, settings=settings)
        assert found.max() == pytest.approx(largest, abs=1e-3)


def test_a_rare_answer_is_nearest_to_where_its_second_word_is():
    """A maroon car, of which the model says red next, and not to dark ones of several words."""
    dark = [{"▁black": 0.97, "▁gray": 0.02}, {"▁gray": 0.97, "▁black": 0.02}]
    said = [{"▁maroon": 0.97, "▁red": 0.02}, {"▁red": 0.97, "▁black": 0.01}, *dark]
    for geometry, with_red in (("fourth_root", True), ("hellinger", False)):
        settings = ClusterSettings(geometry=geometry)
        rows = vocabulary_rows(distributions_of(said), token_texts, settings=settings).toarray()
        to_red, to_dark = (np.linalg.norm(rows[0] - c) for c in (rows[1], rows[2:].mean(axis=0)))
        assert (to_red < to_dark) == with_red


def test_hidden_states_are_clustered_and_named_by_the_lens():
    distributions, truth = coloured_cars(CARS)
    colours = sorted(CARS)
    hidden = np.eye(3, dtype=np.float16)[[colours.index(colour) for colour in truth]]
    hidden = hidden + np.random.default_rng(0).normal(scale=0.01, size=hidden.shape)
    settings = ClusterSettings(n_clusters=3, representation="hidden", epochs=60)
    found = cluster_hidden_states(hidden, distributions, token_texts, settings=settings)
    assert [found.names[label] for label in found.labels] == truth
    with pytest.raises(InputError, match="5 hidden states do not fit 30 images"):
        cluster_hidden_states(hidden[:5], distributions, token_texts, settings=settings)
    with pytest.raises(InputError, match="Hidden states are needed"):
        cluster_distributions(distributions, token_texts, settings=settings)


def test_members_come_most_confident_first(clustering):
    members = clustering.members(0)
    assert len(members) == 14
    assert (np.diff(clustering.confidence[members]) <= 0).all()


def test_a_clustering_comes_back_from_disk(clustering, tmp_path):
    save_clustering(tmp_path / "here", clustering.renamed(1, "crimson"))
    found = load_clustering(tmp_path / "here")
    for name in ("labels", "confidence", "distances"):
        np.testing.assert_array_equal(getattr(found, name), getattr(clustering, name))
    assert found.names == ["black", "crimson", "white"]
    assert (found.settings, found.source, found.key, found.dominant_tokens) == (
        clustering.settings,
        clustering.source,
        clustering.key,
        clustering.dominant_tokens,
    )


def test_a_clustering_that_could_not_be_written_leaves_no_trace(clustering, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("esmc_core.cluster.clustering.write_json", fail)
    with pytest.raises(OSError, match="disk full"):
        save_clustering(tmp_path / "here", clustering)
    assert not list(tmp_path.iterdir())


def test_saving_again_replaces(clustering, tmp_path):
    save_clustering(tmp_path / "here", clustering)
    save_clustering(tmp_path / "here", clustering.renamed(0, "x"))
    assert load_clustering(tmp_path / "here").names[0] == "x"


def test_no_images_are_told():
    with pytest.raises(InputError, match="0 images cannot form 8 clusters"):
        cluster_distributions(distributions_of([]), token_texts, settings=ClusterSettings())


def test_a_cluster_is_renamed_and_given_its_own_name_back(clustering, tmp_path):
    renamed = clustering.renamed(0, "  night   black ")
    assert renamed.names[0] == "night black"
    assert renamed.key == clustering.key
    save_clustering(tmp_path, clustering)
    save_names(tmp_path, renamed)
    assert load_clustering(tmp_path).renamed(0, "").names == clustering.names


def test_names_that_cannot_be_are_told(clustering):
    with pytest.raises(InputError, match="no cluster 4 among 3"):
        clustering.renamed(3, "x")
    with pytest.raises(InputError, match="81 characters"):
        clustering.renamed(0, "x" * 81)


def test_the_key_follows_settings_and_cell(clustering):
    keys = {
        clustering.key,
        clustering_key(ClusterSettings(n_clusters=4, epochs=60), clustering.source),
        clustering_key(clustering.settings, Source("pass", 5, 6)),
        clustering_key(clustering.settings, Source("other", 5, 7)),
    }
    assert len(keys) == 4


def test_damage_on_disk_is_told(clustering, tmp_path):
    with pytest.raises(StoreError):
        load_clustering(tmp_path / "nowhere")
    save_clustering(tmp_path, clustering)
    record = json.loads((tmp_path / "clustering.json").read_text())
    for broken in (
        record | {"version": 99},
        record | {"automatic_names": ["one"]},
        {key: value for key, value in record.items() if key != "settings"},
        record | {"settings": {"no_such": 1}},
        [],
    ):
        (tmp_path / "clustering.json").write_text(json.dumps(broken))
        with pytest.raises(StoreError, match="cannot be read"):
            load_clustering(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip"])
def test_damaged_arrays_are_told(clustering, tmp_path, content):
    save_clustering(tmp_path, clustering)
    (tmp_path / "arrays.npz").write_bytes(content)
    with pytest.raises(StoreError, match="cannot be read"):
        load_clustering(tmp_path)


def test_a_pickle_is_never_opened(clustering, tmp_path):
    save_clustering(tmp_path, clustering)
    evil = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "arrays.npz", labels=evil, confidence=evil, distances=evil)
    with pytest.raises(StoreError):
        load_clustering(tmp_path)
