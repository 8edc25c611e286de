"""How good a clustering is: figures by itself, and against a table of labels."""

import csv
import io
from pathlib import PurePosixPath

import pytest

from tests.app.conftest import button, is_sound, settled, texts
from tests.conftest import N_PHOTOS


@pytest.fixture
def app(clustered, visit):
    """The page with its popover open."""
    page = visit("clusters", **clustered)
    page.session_state["quality"] = True
    return settled(page)


def labels(files, *, column: str = "colour") -> bytes:
    """A table of the colours that the names tell."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(["file", column])
    table.writerows((file, PurePosixPath(file).name.split("-")[0]) for file in files)
    return out.getvalue().encode()


def compare(app, content: bytes):
    return app.file_uploader[0].set_value([("labels.csv", content, "text/csv")]).run()


def test_figures_without_labels(app):
    assert is_sound(app)
    shown = {metric.label: float(metric.value) for metric in app.metric}
    assert -1 <= shown["Silhouette"] <= 1 and -1 <= shown["Stability"] <= 1


def test_a_number_of_clusters_is_suggested(app):
    app = settled(button(app, "How many clusters?").click().run())
    assert is_sound(app) and "clusters fit best" in texts(app)


@pytest.mark.parametrize("by", ["path", "name"])
def test_figures_against_labels(app, collection, by):
    files = [picture.file for picture in collection.pictures]
    names = files if by == "path" else [PurePosixPath(file).name for file in files]
    app = compare(app, labels(names))
    assert is_sound(app)
    figures = app.dataframe[0].value.loc["colour"]
    assert figures["Pictures"] == N_PHOTOS
    assert 0 <= figures["NMI"] <= 1 and 0 < figures["Accuracy"] <= 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name,colour\na.png,red\n", "columns name, colour"),
        (b"file\na.png\n", "columns file"),
        (b"file,colour\nnobody.png,red\n", "None of the labels belongs"),
        (b"", "labels"),
        (b"\xff\xfe\x00", "labels"),
        (b'file,colour\n"', "labels"),
    ],
)
def test_labels_that_cannot_be_used(app, content, problem):
    app = compare(app, content)
    (error,) = app.error
    assert problem in error.value
    assert "Something went wrong" not in error.value
