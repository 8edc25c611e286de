"""The command line: what it writes, what it says, and how it ends."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from esmc_core.__main__ import main
from esmc_core.models.model import VisionLanguageModel
from esmc_core.naming import top_token_texts
from esmc_core.target import make_heatmap
from esmc_core.workspace import Workspace
from tests.conftest import N_PHOTOS

CRITERION = "the color of the car is"
ROOT = Path(__file__).resolve().parents[2]
COLUMNS = [
    *("file", "cluster", "name", "confidence", "distance", "top_tokens", "duplicate_of"),
    *("criterion", "model", "layer", "position", "colour", "settings"),
]


def messages(stderr: str) -> list[str]:
    """The lines on stderr that are no progress bar."""
    lines = [line.strip() for line in re.split(r"[\r\n]", stderr)]
    return [line for line in lines if line and not re.search(r"\d+ pictures|Loading weights", line)]


def cluster(photos, out, *options, criterion=CRITERION, clusters=3):
    command = ["cluster", photos, "--criterion", criterion, "--clusters", clusters, "--out", out]
    return main([str(part) for part in [*command, *options]])


def lens(photos, out, *options, criterion=CRITERION):
    command = ["lens", photos, "--criterion", criterion, "--out", out, *options]
    return main([str(part) for part in command])


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def only_pass(home: Path):
    """The one pass under a home folder."""
    workspace = Workspace()
    assert workspace.config.home == home
    (collection,) = workspace.library.list()
    (made,) = workspace.list_passes(collection.key)
    return workspace.open_pass(collection.key, made.key)


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
    assert summary.startswith("layer ")


def test_the_file_may_be_read_by_whom_the_umask_says(clusters_csv):
    """It came out readable by its owner alone, as temporary files are."""
    mask = os.umask(0)
    os.umask(mask)
    assert clusters_csv.stat().st_mode & 0o777 == 0o666 & ~mask


def test_parquet_holds_the_same(mixed_photos, clusters_csv, home, tmp_path):
    assert cluster(mixed_photos, tmp_path / "c.parquet") == 0
    table = pd.read_parquet(tmp_path / "c.parquet")
    assert list(table.columns) == COLUMNS
    rows = rows_of(clusters_csv)
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
    from esmc_core.models.loading import load_model

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


# --- the heatmap ------------------------------------------------------------------------------


def test_heatmap_as_json(colour_photos, tiny_llava, home, tmp_path):
    out = tmp_path / "heatmap.json"
    assert lens(colour_photos, out, "--model", tiny_llava, "--score", "confidence") == 0
    store = only_pass(home)
    spec = store.spec
    record = json.loads(out.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert set(record) == {
        *("criterion", "model", "lens", "score", "unit", "n_images", "n_layers", "n_positions"),
        *("tokens", "n_criterion", "values", "suggested", "is_flat", "top_tokens"),
    }
    values = np.array(record["values"])
    assert values.shape == (spec.n_layers + 1, spec.n_positions)
    expected = make_heatmap(store, score="confidence")
    assert np.allclose(values, expected.values, atol=1e-6)
    assert tuple(record["suggested"].values()) == expected.suggested
    assert list(record["suggested"]) == ["layer", "position"]
    assert (record["unit"], record["n_images"]) == ("probability", N_PHOTOS)
    assert record["tokens"] == list(spec.token_texts)
    assert 0 < record["n_criterion"] < record["n_positions"] == len(record["tokens"])
    assert [len(row) for row in record["top_tokens"]] == [spec.n_positions] * (spec.n_layers + 1)
    for text, share in record["top_tokens"][2][3]:
        assert isinstance(text, str) and 0 <= share <= 1


class Page(HTMLParser):
    """The tags of a page, and what its style sheets say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.style = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "style":
            self.style += data

    @property
    def elsewhere(self) -> list[str]:
        """Addresses on other hosts that a browser would ask."""
        links = [
            tag.get(name) or ""
            for _, tag in self.tags
            for name in ("src", "href", "srcset", "data", "action", "poster")
        ]
        links += re.findall(r"url\(\s*[\"']?([^\"')]+)", self.style)
        links += re.findall(r"@import\s*[\"']([^\"']+)", self.style)
        return [link for link in links if re.match(r"\s*(https?:)?//", link)]


def test_a_page_that_asks_another_host_is_told():
    assert Page('<script src="https://cdn.plot.ly/plotly.js"></script>').elsewhere
    assert Page('<style>@import url("//fonts.example/a.css");</style>').elsewhere
    assert not Page('<script>fetch("https://cdn.plot.ly")</script><a href="#top">').elsewhere


def test_heatmap_as_a_page_that_needs_no_network(colour_photos, tiny_llava, home, tmp_path):
    odd = "the <i>color</i> </script><script>alert(1)</script> is"
    texts = []
    for number, criterion in enumerate([CRITERION, odd, odd]):
        out = tmp_path / f"{number}.html"
        assert lens(colour_photos, out, "--model", tiny_llava, criterion=criterion) == 0
        texts.append(out.read_text(encoding="utf-8"))
    plain, with_tags = (Page(text) for text in texts[:2])
    assert plain.elsewhere == []
    assert CRITERION in texts[0] and re.search(r"★|\\u2605", texts[0])
    assert [tag for tag, _ in plain.tags] == [tag for tag, _ in with_tags.tags]
    assert texts[1] == texts[2], "the same heatmap is the same bytes"


# --- how it ends ------------------------------------------------------------------------------


def refused(capsys, command, *arguments, **more) -> str:
    """The one line with which a command ends that gives 1."""
    capsys.readouterr()
    assert command(*arguments, **more) == 1
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = messages(output.err)
    assert line.startswith("esmc: ")
    return line


def test_no_such_folder(home, tmp_path, capsys):
    missing = tmp_path / "nowhere"
    line = refused(capsys, cluster, missing, tmp_path / "c.csv")
    assert str(missing) in line and "Check" in line
    assert not (tmp_path / "c.csv").exists()


def test_empty_folder(home, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    line = refused(capsys, cluster, tmp_path / "empty", tmp_path / "c.csv")
    assert "no pictures" in line and str(tmp_path / "empty") in line


def test_folder_without_a_readable_picture(home, tmp_path, capsys):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.jpg").write_text("no picture")
    line = refused(capsys, cluster, tmp_path / "texts", tmp_path / "c.csv")
    assert "None of the 1 files" in line and "a.jpg" in line


def test_too_few_pictures(home, colour_photos, tmp_path, capsys):
    line = refused(capsys, cluster, colour_photos, tmp_path / "c.csv", clusters=41)
    assert "40 different pictures" in line and "41 clusters" in line and "40 or fewer" in line


def test_duplicates_are_no_further_pictures(home, mixed_photos, tmp_path, capsys):
    capsys.readouterr()
    assert cluster(mixed_photos, tmp_path / "c.csv", clusters=41) == 1
    skipped, problem = messages(capsys.readouterr().err)
    assert "notes.jpg" in skipped and "40 different pictures" in problem


@pytest.mark.parametrize(
    ("criterion", "problem"),
    [("   \t ", "empty"), ("ab " * 1667, "5,000 characters"), ("🚗🎨🌈", "no words")],
    ids=["spaces", "5,000 characters", "emoji"],
)
@pytest.mark.parametrize("command", [cluster, lens])
def test_criterion_that_says_nothing(
    command, criterion, problem, home, colour_photos, tiny_llava, tmp_path, capsys
):
    out = tmp_path / ("c.csv" if command is cluster else "c.json")
    line = refused(capsys, command, colour_photos, out, "--model", tiny_llava, criterion=criterion)
    assert problem in line
    assert not out.exists()


@pytest.mark.parametrize("model", ["nothing", "nobody/nothing", "empty"])
def test_unknown_model(model, home, colour_photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    line = refused(capsys, cluster, colour_photos, tmp_path / "c.csv", "--model", model)
    assert model in line


def test_folder_of_the_output_is_missing(home, colour_photos, tmp_path, capsys):
    out = tmp_path / "nowhere" / "c.csv"
    line = refused(capsys, cluster, colour_photos, out)
    assert str(out.parent) in line
    assert not home.exists(), "nothing is begun before the end is known to work"


@pytest.mark.parametrize(
    ("command", "name"), [(cluster, "c.json"), (cluster, "c"), (lens, "h.csv"), (lens, "h.png")]
)
def test_wrong_kind_of_output(command, name, home, colour_photos, tmp_path, capsys):
    line = refused(capsys, command, colour_photos, tmp_path / name)
    assert name in line and "--out" in line


def test_output_that_is_a_folder(home, colour_photos, tmp_path, capsys):
    """It was told only at the end, and under the name of a temporary file."""
    out = tmp_path / "c.csv"
    out.mkdir()
    line = refused(capsys, cluster, colour_photos, out)
    assert f"{out} is a folder" in line
    assert not home.exists()


@pytest.mark.parametrize(
    ("option", "number"), [("--layer", "4"), ("--layer", "-1"), ("--position", "99")]
)
def test_cell_out_of_range(option, number, home, colour_photos, tiny_llava, tmp_path, capsys):
    out = tmp_path / "c.csv"
    line = refused(capsys, cluster, colour_photos, out, "--model", tiny_llava, option, number)
    assert f"{option[2:]} {number}" in line and "Layers run from 0 to 3" in line
    assert only_pass(home).n_done == 0, "the pictures were looked at before it was told"


def test_position_too_far_from_the_end_is_told_as_it_was_written(
    home, colour_photos, tiny_llava, tmp_path, capsys
):
    out = tmp_path / "c.csv"
    line = refused(capsys, cluster, colour_photos, out, "--model", tiny_llava, "--position", "-99")
    assert "position -99" in line


def test_more_clusters_than_answers(home, colour_photos, tiny_llava, tmp_path, capsys):
    """At the embeddings every picture says the same."""
    out = tmp_path / "c.csv"
    line = refused(capsys, cluster, colour_photos, out, "--model", tiny_llava, "--layer", "0")
    assert "only 1 different" in line and "3 clusters" in line


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_device_that_is_not_there(device, home, colour_photos, tmp_path, capsys):
    import torch

    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    line = refused(capsys, cluster, colour_photos, tmp_path / "c.csv", "--device", device)
    assert device in line


def test_keywords_without_a_word(home, colour_photos, tmp_path, capsys):
    out = tmp_path / "h.json"
    line = refused(capsys, lens, colour_photos, out, "--keywords", " , ")
    assert "no keywords" in line
    line = refused(capsys, lens, colour_photos, out, "--score", "keywords")
    assert "no keywords" in line
    assert not home.exists()


def test_home_that_cannot_be_written(colour_photos, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ESMC_HOME", str(tmp_path / "file"))
    line = refused(capsys, cluster, colour_photos, tmp_path / "c.csv")
    assert str(tmp_path / "file") in line


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "esmc: No space left on device"),
        (OSError(13, "Permission denied", "/x"), "esmc: Permission denied: /x"),
        (OSError("disk I/O\nerror"), "esmc: disk I/O error"),
        (KeyboardInterrupt(), "esmc: stopped; the same command goes on from here."),
    ],
)
def test_every_trouble_is_one_line(error, told, home, tmp_path, capsys, monkeypatch):
    def fail(_options):
        raise error

    monkeypatch.setattr("esmc_core.commands.cluster", fail)
    line = refused(capsys, cluster, tmp_path, tmp_path / "c.csv")
    assert line == told


@pytest.mark.parametrize(
    "options",
    [
        ["--clusters", "0"],
        ["--clusters", "-3"],
        ["--clusters", "three"],
        ["--clusters", "3", "--alpha", "2"],
        ["--clusters", "3", "--alpha", "0"],
        ["--clusters", "3", "--alpha", "nan"],
        ["--clusters", "3", "--seed", "-1"],
        ["--clusters", "3", "--seed", str(2**32)],
        ["--clusters", "3", "--device", "tpu"],
        ["--clusters", "3", "--representation", "pixels"],
        ["--clusters", "3", "--layer", "top"],
        ["--clusters", "3", "--keywords", "caf\udce9"],
        ["--clusters", "3", "--nonsense"],
        [],
    ],
    ids=lambda options: " ".join(options).encode("ascii", "replace").decode() or "no --clusters",
)
def test_wrong_usage(options, home, tmp_path, capsys):
    base = ["cluster", str(tmp_path), "--criterion", CRITERION, "--out", str(tmp_path / "c.csv")]
    with pytest.raises(SystemExit) as ended:
        main([*base, *options])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.parametrize(
    "command",
    [
        ["cluster", "p", "--clusters", "3", "--out", "c.csv"],
        ["cluster", "--criterion", "c", "--clusters", "3", "--out", "c.csv"],
        ["cluster", "", "--criterion", "c", "--clusters", "3", "--out", "c.csv"],
        ["cluster", "p", "--criterion", "c", "--clusters", "3"],
        ["cluster", "p", "--criterion", "caf\udce9", "--clusters", "3", "--out", "c.csv"],
        ["lens", "p", "--criterion", "c"],
        ["lens", "p", "--criterion", "c", "--out", "h.json", "--score", "beauty"],
        ["paint", "p"],
        [],
    ],
    ids=[
        *("no criterion", "no folder", "empty folder name", "no output", "criterion no text"),
        *("lens no output", "unknown score", "unknown command", "nothing"),
    ],
)
def test_command_that_lacks_something(command, home, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


# --- killed and given again -------------------------------------------------------------------

KILLED_WHILE_WRITING = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from esmc_core.__main__ import main
    from esmc_core.lens_store import LensStore

    write, batches = LensStore.write, []

    def torn(store, images, tokens, probabilities):
        batches.append(images)
        if len(batches) == 2:
            store._tokens[:, :, images[: len(images) // 2]] = 7
            store._tokens.flush()
            Path(sys.argv[1]).touch()
            time.sleep(600)
        write(store, images, tokens, probabilities)

    LensStore.write = torn
    sys.exit(main(sys.argv[2:]))
""")


def test_killed_and_given_again_goes_on_where_it_was(
    colour_photos, tiny_llava, tmp_path, monkeypatch
):
    """kill -9 while the second batch is half written: only that one is looked at again."""
    options = ["--criterion", CRITERION, "--clusters", "3", "--model", str(tiny_llava)]
    command = ["cluster", str(colour_photos), *options, "--out"]
    monkeypatch.setenv("ESMC_HOME", str(tmp_path / "whole"))
    assert main([*command, str(tmp_path / "whole.csv")]) == 0
    whole = only_pass(tmp_path / "whole").folder

    monkeypatch.setenv("ESMC_HOME", str(tmp_path / "killed"))
    signal_file, out = tmp_path / "writing", tmp_path / "killed.csv"
    script = [sys.executable, "-c", KILLED_WHILE_WRITING, str(signal_file), *command, str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(script, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not signal_file.exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not out.exists()
    store = only_pass(tmp_path / "killed")
    done = np.flatnonzero(store.done)
    assert list(done) == sorted(store.order[:16])
    assert (store.cell(1, 1).tokens[store.order[16]] == 7).all()

    seen, states = [], VisionLanguageModel.hidden_states

    def counted(model, inputs, **more):
        seen.append(len(inputs["pixel_values"]))
        return states(model, inputs, **more)

    monkeypatch.setattr(VisionLanguageModel, "hidden_states", counted)
    assert main([*command, str(out)]) == 0
    assert sum(seen) == N_PHOTOS - 16
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    for name in ("tokens.i32", "probabilities.f16"):
        assert (store.folder / name).read_bytes() == (whole / name).read_bytes()
    seen.clear()
    shutil.copy(out, tmp_path / "first.csv")
    assert main([*command, str(out)]) == 0
    assert (sum(seen), out.read_bytes()) == (0, (tmp_path / "first.csv").read_bytes())
