"""`bench images`: its tables and record, that labels reach figures only, and how it ends."""

import contextlib
import csv
import io
import json
import os
import random
import shutil
from functools import partial
from pathlib import Path

import pytest

from esmc_core.__main__ import main
from esmc_core.bench import case, rules, runs
from esmc_core.bench.baselines import BASELINES
from esmc_core.bench.images import TITLES
from esmc_core.bench.rules import RULES
from esmc_core.cluster.clustering import ClusterSettings
from tests.command_line import messages, refused
from tests.conftest import N_PHOTOS

METRICS = {"nmi", "rand_index", "ari", "accuracy"}
UNKNOWN = 3
EPOCHS = 12


def bench(*arguments) -> int:
    return main(["bench", "images", *map(str, arguments)])


def write_labels(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def colour_rows(folder: Path) -> list[dict[str, str]]:
    """The colour and the warmth of each photo; the colour of the first few is not known."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    colours = [Path(file).name.split("-")[0] for file in files]
    return [
        {
            "file": file,
            "colour": "" if i < UNKNOWN else colour,
            "is_warm": "yes" if colour == "red" else "no",
        }
        for i, (file, colour) in enumerate(zip(files, colours, strict=True))
    ]


def measured(data: Path, home: Path, model: Path, *options) -> tuple[dict, str, str]:
    """The record, the tables on stdout and the Markdown of a run with its own home.

    The head learns for fewer epochs than the app's: nothing here depends on how many.
    """
    out, markdown = home.parent / "bench.json", home.parent / "bench.md"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESMC_HOME", str(home))
        patch.setattr(case, "ClusterSettings", partial(ClusterSettings, epochs=EPOCHS))
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            files = ["--json", out, "--markdown", markdown]
            assert bench(data, "--model", model, "--seeds", 2, *files, *options) == 0
    return json.loads(out.read_text()), shown.getvalue(), markdown.read_text()


@pytest.fixture(scope="module")
def data(colour_photos, tmp_path_factory) -> Path:
    """A folder with the one set "colours"."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copytree(colour_photos, folder / "colours")
    write_labels(folder / "colours", colour_rows(folder / "colours"))
    return folder


@pytest.fixture(scope="module")
def first(data, tiny_llava, tmp_path_factory):
    """What a first run gives, and its home."""
    home = tmp_path_factory.mktemp("first") / "home"
    return *measured(data, home, tiny_llava, "--rules"), home


def test_the_record_has_the_keys_that_are_promised(first, tiny_llava):
    record = first[0]
    assert set(record) == {
        *("version", "model", "fingerprint", "seeds", "settings", "embedder", "titles"),
        *("criteria", "mean_of", "mean", "paraphrases", "probes"),
    }
    assert (record["model"], record["seeds"], record["mean_of"]) == (str(tiny_llava), [0, 1], 2)
    for criterion in record["criteria"]:
        assert set(criterion) == {
            *("set", "criterion", "prompt", "n_images", "n_labelled", "n_unused", "n_clusters"),
            *("information_bits", "is_flat", "suggested", "cell_nmi", "published", "rows"),
        }
        assert list(criterion["rows"]) == list(TITLES)
        for row in criterion["rows"].values():
            assert set(row) - {"alpha"} == METRICS | {
                *("before_head", "layer", "position", "oracle", "partitions"),
            }
            for metric in METRICS:
                assert set(row[metric]) == {"mean", "sd", "per_seed"}
                assert len(row[metric]["per_seed"]) == len(row["partitions"]) == 2
    assert list(record["mean"]) == list(TITLES) == list(record["titles"])
    assert {*RULES, *BASELINES} < set(record["mean"])


def test_prompts_are_generic_where_nothing_else_is_said(first):
    record = first[0]
    asked = {each["criterion"]: each["prompt"] for each in record["criteria"]}
    assert asked == {
        "colour": "the colour of the object is",
        "is_warm": "the is warm of the object is",
    }
    assert [probe["prompt"] for probe in record["probes"]] == ["the mood of the philosopher is"]


def test_rows_without_a_label_are_left_out_of_that_criterion_alone(first):
    counts = {
        each["criterion"]: (each["n_images"], each["n_labelled"], each["n_clusters"])
        for each in first[0]["criteria"]
    }
    assert counts == {
        "colour": (N_PHOTOS, N_PHOTOS - UNKNOWN, 3),
        "is_warm": (N_PHOTOS, N_PHOTOS, 2),
    }


def test_the_mean_is_that_of_the_criteria_seed_by_seed(first):
    record = first[0]
    for key, row in record["mean"].items():
        each = [criterion["rows"][key] for criterion in record["criteria"]]
        for metric in METRICS:
            seeds = zip(*(one[metric]["per_seed"] for one in each), strict=True)
            expected = [sum(values) / 2 for values in seeds]
            assert row[metric]["per_seed"] == pytest.approx(expected)
            assert row[metric]["mean"] == pytest.approx(sum(expected) / 2)


def test_only_what_is_called_oracle_is_chosen_by_labels(first):
    for criterion in first[0]["criteria"]:
        rows = criterion["rows"]
        assert {key for key, row in rows.items() if row["oracle"]} == {
            "oracle_epoch",
            "oracle_cell",
        }
        assert rows["oracle_epoch"]["nmi"]["mean"] >= rows["headline"]["nmi"]["mean"] - 1e-9
        best = max(max(row) for row in criterion["cell_nmi"])
        oracle = rows["oracle_cell"]
        assert criterion["cell_nmi"][oracle["layer"]][oracle["position"]] == best


def test_other_labels_change_figures_and_nothing_else(first, data, tiny_llava, tmp_path):
    """In a home of its own, so that every partition is made anew."""
    other = shutil.copytree(data, tmp_path / "data")
    rows = colour_rows(other / "colours")
    warm = [row["is_warm"] for row in rows]
    random.Random(1).shuffle(warm)
    write_labels(
        other / "colours",
        [{"file": row["file"], "is_warm": value} for row, value in zip(rows, warm, strict=True)],
    )
    record, _, _ = measured(other, tmp_path / "home", tiny_llava, "--rules")
    before, after = first[0]["criteria"][1], record["criteria"][0]
    assert before["criterion"] == after["criterion"] == "is_warm"
    assert after["suggested"] == before["suggested"]
    for key, row in before["rows"].items():
        if not row["oracle"]:
            assert after["rows"][key]["partitions"] == row["partitions"], key
    assert after["rows"]["headline"]["nmi"] != before["rows"]["headline"]["nmi"]


def test_a_second_run_computes_nothing_and_says_the_same(first, data, tiny_llava, monkeypatch):
    def no_more(*_arguments, **_options):
        raise AssertionError("a partition was computed again")

    record, tables, markdown, home = first
    for module in (runs, case, rules):
        monkeypatch.setattr(module, "make_run", no_more)
    again = measured(data, home, tiny_llava, "--rules")
    assert again == (record, tables, markdown)


def test_a_damaged_run_is_made_anew(first, data, tiny_llava):
    record, _, _, home = first
    for path in home.rglob("bench/*.np?"):
        path.write_bytes(path.read_bytes()[:100])
        break
    assert measured(data, home, tiny_llava, "--rules")[0] == record


def test_tables_are_aligned_and_begin_with_the_headline(first):
    title, *tables = first[1].rstrip("\n").split("\n\n\n")
    assert "2 seeds" in title
    for table in tables:
        header, _, *rows = table.split("\n\n", 1)[1].splitlines()
        assert len({len(line) for line in (header, *rows)}) == 1, table
    assert tables[0].startswith("Label-free result of the last epoch")
    assert tables[0].splitlines()[-1].startswith("mean of 2")
    for table in tables[1:4]:
        assert table.split("---\n", 1)[1].startswith(TITLES["headline"])
        assert "(chosen with the labels)" in table
    assert tables[-1].startswith("The flat-heatmap warning")


def test_markdown_has_the_same_tables(first):
    _, tables, markdown, _ = first
    n_tables = tables.count("\n\n\n")
    assert markdown.count("\n### ") == n_tables == markdown.count("\n| ---")
    assert "| label-free, last epoch (the app's defaults) |" in markdown


def test_one_set_may_be_given_itself_with_other_prompts(data, tiny_llava, tmp_path):
    prompts = tmp_path / "prompts.json"
    prompts.write_text('{"COLOURS": {"is_warm": "the car is"}}')
    record, _, _ = measured(
        data / "colours", tmp_path / "home", tiny_llava, "--prompts", prompts, "--seeds", 1
    )
    (only,) = record["criteria"]  # of a set with prompts nothing else is measured
    assert (only["set"], only["prompt"]) == ("colours", "the car is")
    assert only["rows"]["headline"]["nmi"]["sd"] == 0
    assert set(RULES).isdisjoint(only["rows"])


def test_no_labels(home, colour_photos, capsys):
    line = refused(capsys, bench, colour_photos)
    assert "labels.csv" in line and str(colour_photos) in line


def test_no_such_folder(home, tmp_path, capsys):
    assert "nowhere" in refused(capsys, bench, tmp_path / "nowhere")


def test_no_such_set(home, data, capsys):
    line = refused(capsys, bench, data, "--sets", "nothere")
    assert "no set nothere" in line and "colours" in line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "(none)"),
        ("name,colour\na.png,red\n", "name, colour"),
        ("file\na.png\n", "at least one criterion"),
    ],
)
def test_labels_without_the_columns(home, data, tmp_path, capsys, text, problem):
    folder = shutil.copytree(data / "colours", tmp_path / "colours")
    (folder / "labels.csv").write_text(text)
    assert problem in refused(capsys, bench, folder)


@pytest.mark.parametrize("kind", ["one class", "a class each", "other files"])
def test_labels_that_cannot_be_measured_by(home, data, tiny_llava, tmp_path, capsys, kind):
    folder = shutil.copytree(data / "colours", tmp_path / "colours")
    files = [row["file"] for row in colour_rows(folder)]
    rows = [{"file": file, "colour": "red"} for file in files]
    if kind == "a class each":
        rows = [{"file": file, "colour": file} for file in files]
    elif kind == "other files":
        rows = [{"file": f"x{file}", "colour": str(len(file))} for file in files]
    write_labels(folder, rows)
    capsys.readouterr()
    assert bench(folder, "--model", tiny_llava) == 1
    *_, line = messages(capsys.readouterr().err)
    assert "Column colour" in line and "classes" in line


@pytest.mark.parametrize("text", ["{", "[]", '{"colours": "x"}', '{"colours": {"colour": 1}}'])
def test_prompts_that_are_no_table(home, data, tmp_path, capsys, text):
    prompts = tmp_path / "prompts.json"
    prompts.write_text(text)
    assert "prompts" in refused(capsys, bench, data, "--prompts", prompts)


def test_a_file_of_another_kind(home, data, tmp_path, capsys):
    line = refused(capsys, bench, data, "--json", tmp_path / "out.txt")
    assert "--json" in line and os.sep + "out.txt" not in line
