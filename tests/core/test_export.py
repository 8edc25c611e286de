"""Tables: one row a file, the same bytes, nothing that a spreadsheet would run."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

from esmc_core.cluster.clustering import Clustering, ClusterSettings, Source
from esmc_core.errors import InputError
from esmc_core.export import clustering_table, csv_bytes, parquet_bytes

COLUMNS = [
    "file",
    "cluster",
    "name",
    "confidence",
    "distance",
    "top_tokens",
    "duplicate_of",
    "criterion",
    "model",
    "layer",
    "position",
    "colour",
    "settings",
]


@pytest.fixture
def clustering():
    return Clustering(
        settings=ClusterSettings(n_clusters=2, seed=5),
        source=Source("pass", 3, 4),
        labels=np.array([0, 1, 0]),
        confidence=np.array([0.9, 0.123456789, 1.0], dtype=np.float32),
        distances=np.array([0.1, 0.2, 0.3], dtype=np.float32),
        automatic_names=("red", "black"),
        dominant_tokens=((), ()),
        user_names={1: "night"},
    )


def table_of(clustering, files=("a.jpg", "b/c.jpg", "d.jpg", "e.jpg"), **changed):
    arguments = {
        "rows": [0, 1, 2, 0],
        "top_tokens": ["red 0.81; maroon 0.07", "black 0.60", "red 0.50"],
        "duplicate_of": ["", "", "", "a.jpg"],
        "criterion": "the color of the car is",
        "model": "bundled",
    }
    arguments |= changed
    return clustering_table(files, arguments.pop("rows"), clustering, **arguments)


def read(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"))))


def test_every_file_has_its_row_and_a_duplicate_its_originals_cluster(clustering):
    rows = read(csv_bytes(table_of(clustering)))
    assert list(rows[0]) == COLUMNS
    assert [row["file"] for row in rows] == ["a.jpg", "b/c.jpg", "d.jpg", "e.jpg"]
    assert [row["cluster"] for row in rows] == ["1", "2", "1", "1"]
    assert [row["name"] for row in rows] == ["red", "night", "red", "red"]
    assert [row["confidence"] for row in rows] == ["0.900000", "0.123457", "1.000000", "0.900000"]
    assert [row["duplicate_of"] for row in rows] == ["", "", "", "a.jpg"]
    assert rows[3]["top_tokens"] == "red 0.81; maroon 0.07"
    assert (rows[0]["layer"], rows[0]["position"], rows[0]["model"]) == ("3", "4", "bundled")
    assert {row["name"]: row["colour"] for row in rows}["red"] == clustering.colours[0]


def test_settings_are_one_json_text(clustering):
    settings = json.loads(read(csv_bytes(table_of(clustering)))[0]["settings"])
    assert ClusterSettings(**settings) == clustering.settings


def test_same_table_same_bytes_with_unix_lines(clustering):
    first, second = (csv_bytes(table_of(clustering)) for _ in range(2))
    assert first == second
    assert first.count(b"\n") == 5
    assert b"\r" not in first


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_file_that_looks_like_a_formula_keeps_its_path_and_is_not_run(clustering, start):
    name = f"{start}1+1.jpg"
    content = csv_bytes(table_of(clustering, files=[name, "b.jpg", "c.jpg", "d.jpg"]))
    assert read(content)[0]["file"] == f"./{name}"


def test_names_and_criteria_that_look_like_formulas_are_not_run(clustering):
    table = table_of(clustering.renamed(0, '=HYPERLINK("x")'), criterion="@now")
    row = read(csv_bytes(table))[0]
    assert row["name"] == '\'=HYPERLINK("x")'
    assert row["criterion"] == "'@now"


def test_awkward_texts_survive(clustering):
    files = ["a,b.jpg", 'q"q.jpg', "nö\n.jpg", "日本.jpg"]
    content = csv_bytes(table_of(clustering, files=files))
    assert list(pd.read_csv(io.BytesIO(content))["file"]) == files


def test_parquet_holds_the_same_with_every_text_as_it_is(clustering):
    table = table_of(clustering, files=["=x.jpg", "b.jpg", "c.jpg", "d.jpg"])
    found = pd.read_parquet(io.BytesIO(parquet_bytes(table)))
    pd.testing.assert_frame_equal(found, table)
    assert found["file"][0] == "=x.jpg"


def test_no_files_make_a_table_of_headings(clustering):
    content = csv_bytes(table_of(clustering, files=[], rows=[], duplicate_of=[]))
    assert content.decode().strip() == ",".join(COLUMNS)


def test_what_does_not_fit_is_told(clustering):
    with pytest.raises(InputError, match="3 images"):
        table_of(clustering, rows=[0, 1, 2, 3])
    with pytest.raises(InputError, match="3 images"):
        table_of(clustering, top_tokens=["red"])
    with pytest.raises(InputError, match="do not fit"):
        table_of(clustering, duplicate_of=[""])
