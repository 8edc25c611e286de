"""`cluster`: the table that it writes, and what its options do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from esmc_core.models.loading import load_model
from esmc_core.naming import top_token_texts
from esmc_core.target import make_heatmap
from tests.command_line import cluster, lens, messages, only_pass, refused, rows_of
from tests.conftest import CRITERION, N_PHOTOS

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = [
    *("file", "cluster", "name", "confidence", "distance", "top_tokens", "duplicate_of"),
    *("criterion", "model", "layer", "position", "colour", "settings"),
]


@pytest.fixture(scope="module")
def clusters_csv(mixed_photos, tmp_path_factory) -> Path:
    """What the bundled model makes of the mixed photos."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESMC_HOME", str(folder / "home"))
        assert cluster(mixed_photos, folder / "clusters.csv") == 0
    return folder / "clusters.csv"


@pytest.fixture
def tiny(colour_photos, tiny_llava, home, tmp_path):
    """Cluster the colour photos by the tiny model; gives the rows."""

    def run(*options, **more) -> list[dict[str, str]]:
        out = tmp_path / "tiny.csv"
        assert cluster(colour_photos, out, "--model", tiny_llava, *options, **more) == 0
        return rows_of(out)

    return run


def test_columns(clusters_csv):
    assert list(rows_of(clusters_csv)[0]) == COLUMNS


def test_one_row_a_readable_file_by_its_path_under_the_folder(clusters_csv, mixed_photos):
    files = [path for path in mixed_photos.rglob("*") if path.suffix == ".png"]
    expected = sorted(path.relative_to(mixed_photos).as_posix() for path in files)
    assert [row["file"] for row in rows_of(clusters_csv)] == expected
    assert len(expected) == N_PHOTOS + 2


def test_a_duplicate_has_the_row_of_its_original(clusters_csv):
    rows = {row["file"]: row for row in rows_of(clusters_csv)}
    copies = {file: row["duplicate_of"] for file, row in rows.items() if row["duplicate_of"]}
    first = "a blue, again.png"
    assert copies == {"blue-01.png": first, "few/deep/blue-again.png": first}
    for copy in copies:
        for column in set(COLUMNS) - {"file", "duplicate_of"}:
            assert rows[copy][column] == rows[first][column]


def test_pictures_of_one_colour_are_one_cluster_of_one_name(clusters_csv):
    rows = rows_of(clusters_csv)
    found = {
        (Path(row["file"]).name.split("-")[0], row["cluster"], row["name"], row["colour"])
        for row in rows
        if "again" not in row["file"]
    }
    assert len(found) == 3 and len({name for _, _, name, _ in found}) == 3
    assert {cluster for _, cluster, _, _ in found} == {"1", "2", "3"}
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)
    assert all(json.loads(row["settings"])["n_clusters"] == 3 for row in rows)
    assert {(row["criterion"], row["model"]) for row in rows} == {(CRITERION, "bundled")}


def test_another_home_and_process_write_the_same_bytes(clusters_csv, mixed_photos, tmp_path):
    """A true command, started elsewhere, with paths relative to where it was started."""
    command = [sys.executable, "-m", "esmc_core", "cluster", "../photos"]
    command += ["--criterion", CRITERION, "--clusters", "3", "--out", "mine.csv"]
    (tmp_path / "work").mkdir()
    (tmp_path / "photos").symlink_to(mixed_photos)
    environment = {"ESMC_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command,
        cwd=tmp_path / "work",
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (0, "")
    assert (tmp_path / "work" / "mine.csv").read_bytes() == clusters_csv.read_bytes()
    skipped, summary = messages(ended.stderr)
    assert skipped.startswith("not read: notes.jpg: ")
    assert summary.startswith("mine.csv: layer ")


def test_the_file_may_be_read_by_whom_the_umask_says(clusters_csv):
    """It came out readable by its owner alone, as temporary files are."""
    mask = os.umask(0)
    os.umask(mask)
    assert clusters_csv.stat().st_mode & 0o777 == 0o666 & ~mask


def test_parquet_holds_the_same(tiny, colour_photos, tiny_llava, tmp_path):
    rows = tiny()
    assert cluster(colour_photos, tmp_path / "c.parquet", "--model", tiny_llava) == 0
    table = pd.read_parquet(tmp_path / "c.parquet")
    assert list(table.columns) == COLUMNS
    for column in ("file", "name", "top_tokens", "settings", "duplicate_of"):
        assert list(table[column]) == [row[column] for row in rows]
    assert np.allclose(table["distance"], [float(row["distance"]) for row in rows], atol=1e-6)


def test_the_cell_that_was_asked_for(tiny, home):
    rows = tiny("--layer", "2", "--position", "-3")
    store = only_pass(home)
    position = store.spec.n_positions - 3
    assert {(row["layer"], row["position"]) for row in rows} == {("2", str(position))}
    tokens = top_token_texts(store.cell(2, position), store.token_texts)
    assert [row["top_tokens"] for row in rows] == tokens
    assert tokens != top_token_texts(store.cell(2, position + 1), store.token_texts)
    assert {row["position"] for row in tiny("--layer", "2", "--position", "4")} == {"4"}


def test_what_is_left_open_is_the_suggestions(tiny, home):
    rows = tiny()
    layer, position = make_heatmap(only_pass(home)).suggested
    assert {(row["layer"], row["position"]) for row in rows} == {(str(layer), str(position))}
    other = (layer + 1) % 3
    rows = tiny("--layer", other)
    assert {(row["layer"], row["position"]) for row in rows} == {(str(other), str(position))}


def test_keywords_choose_another_cell(tiny, home, tiny_llava):
    model = load_model(str(tiny_llava), device="cpu")
    tiny()
    store = only_pass(home)
    by_itself = make_heatmap(store).suggested
    for word in ("car", "red", "is", "flower", "cube", "yellow"):
        tokens = [model.first_token(word)]
        expected = make_heatmap(store, score="keywords", keyword_tokens=tokens).suggested
        if expected != by_itself:
            break
    rows = tiny("--keywords", word, clusters=1)
    assert expected != by_itself
    assert {(row["layer"], row["position"]) for row in rows} == {tuple(map(str, expected))}


def test_hidden_states_are_clustered_when_asked(tiny, home):
    words = tiny("--layer", "2", "--position", "3")
    states = tiny("--layer", "2", "--position", "3", "--representation", "hidden")
    assert json.loads(states[0]["settings"])["representation"] == "hidden"
    kept = np.load(only_pass(home).folder / "hidden_2_3.npy")
    assert kept.shape == (N_PHOTOS, 48)
    labels = np.array([int(row["cluster"]) for row in states])
    centres = np.stack([kept[labels == cluster].mean(axis=0) for cluster in labels])
    own = np.linalg.norm(kept.astype(np.float32) - centres, axis=1)
    assert np.corrcoef(own, [float(row["distance"]) for row in states])[0, 1] > 0.99
    assert [row["distance"] for row in words] != [row["distance"] for row in states]


def test_settings_reach_the_clustering(tiny):
    options = ["--alpha", "0.5", "--seed", "7", "--geometry", "euclidean", "--no-head"]
    settings = json.loads(tiny(*options)[0]["settings"])
    asked = {"alpha": 0.5, "seed": 7, "geometry": "euclidean", "use_head": False}
    assert {name: settings[name] for name in asked} == asked
    assert settings["n_clusters"] == 3


def test_raw_lens_is_another_pass_and_alike_at_the_last_layer(
    colour_photos, tiny_llava, home, tmp_path
):
    found = {}
    for name in ("norm", "raw"):
        out = tmp_path / f"{name}.json"
        assert lens(colour_photos, out, "--model", tiny_llava, "--lens", name) == 0
        found[name] = json.loads(out.read_text())
        assert found[name]["lens"] == name
    norm, raw = (np.array(found[name]["values"]) for name in ("norm", "raw"))
    assert np.allclose(norm[-1], raw[-1], atol=1e-6)
    assert np.abs(norm[:-1] - raw[:-1]).max() > 0.01


@pytest.mark.parametrize("module", ["esmc_core.images.library", "esmc_core.commands"])
def test_a_missing_package_is_one_line(mixed_photos, tmp_path, capsys, monkeypatch, module):
    """What finds a wrong path at once needs packages, too."""
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delattr("esmc_core.commands", raising=False)
    line = refused(capsys, cluster, mixed_photos, tmp_path / "a.csv")
    assert f"{module} is missing; install requirements.txt" in line


def test_a_wrong_path_is_told_before_anything_heavy(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "esmc_core.commands", None)
    monkeypatch.delattr("esmc_core.commands", raising=False)
    assert "no folder" in refused(capsys, cluster, tmp_path / "gone", tmp_path / "a.csv")
    assert "no .csv" in refused(capsys, cluster, tmp_path, tmp_path / "a.doc")
