"""The first page: pictures come in, and are shown."""

import asyncio
import base64
import io
import json
import zipfile

import pytest
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from pages.ui import routes
from pages.ui.resources import workspace
from tests.app.conftest import button, is_sound, settled, texts
from tests.conftest import N_PHOTOS


def uploads(folder, n_files: int):
    paths = sorted(folder.rglob("*.png"))[:n_files]
    return [(f"cars/{path.name}", path.read_bytes(), "image/png") for path in paths]


def zipped(folder) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(folder.rglob("*.png"))[:5]:
            archive.write(path, path.name)
    return content.getvalue()


def test_counts_and_what_was_refused(filled, visit):
    app = visit("images", **filled)
    assert app.title[0].value == "mixed"
    assert f"{N_PHOTOS} pictures · 2 exact duplicates · 1 file not read" in texts(app)
    told = app.dataframe[0].value
    assert sorted(told["File"]) == ["blue-01.png", "few/deep/blue-again.png", "notes.jpg"]
    reasons = dict(zip(told["File"], told["Why"], strict=True))
    assert reasons["blue-01.png"] == "The same picture as a blue, again.png"
    assert "Not a picture" in reasons["notes.jpg"]


def test_a_folder_that_is_dropped(colour_photos, visit):
    app = visit("images")
    app.file_uploader[0].set_value(uploads(colour_photos, 7)).run()
    app = settled(app)
    assert is_sound(app)
    assert app.title[0].value == "cars"
    assert "7 pictures" in texts(app)
    (summary,) = workspace().library.list()
    pictures = workspace().library.load(summary.key).pictures
    assert [picture.file for picture in pictures] == sorted(picture.file for picture in pictures)


def test_an_archive_that_is_dropped(colour_photos, visit):
    app = visit("images")
    archive = ("holidays.zip", zipped(colour_photos), "application/zip")
    app = settled(app.file_uploader[1].set_value([archive]).run())
    assert is_sound(app)
    assert app.title[0].value == "holidays" and "5 pictures" in texts(app)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("text.jpg", b"no picture at all"),
        ("broken.zip", b"PK\x03\x04 and nothing more"),
        ("notes.txt", b"text"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_page_lives_on(name, content, colour_photos, visit):
    app = visit("images")
    app = settled(app.file_uploader[1].set_value([(name, content, "")]).run())
    (error,) = app.error
    assert name.split(".")[0] in error.value
    app = settled(app.file_uploader[0].set_value(uploads(colour_photos, 3)).run())
    assert is_sound(app) and "3 pictures" in texts(app)


def test_samples(visit):
    app = settled(button(visit("images"), "Open the samples").click().run())
    assert is_sound(app)
    assert "96 pictures" in texts(app)
    app = button(app, "Other pictures").click().run()
    assert is_sound(app)
    (again,) = [one for one in app.button if "96 pictures" in one.label]
    assert "96 pictures" in texts(again.click().run())


def test_many_pictures_are_turned_over_page_by_page(visit):
    many = [
        (f"{i}.png", one_colour((i % 16 * 16, i // 16 * 16, 0)), "image/png") for i in range(205)
    ]
    app = settled(visit("images").file_uploader[0].set_value(many).run())
    assert "1–200 of 205" in texts(app)
    app.pagination[0].set_value(2).run()
    assert is_sound(app) and "201–205 of 205" in texts(app)


def one_colour(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


def test_paths_of_this_computer_only_where_they_are_allowed(colour_photos, visit, monkeypatch):
    assert [box.label for box in visit("images").text_input] == []
    monkeypatch.setenv("ESMC_IMAGE_ROOTS", str(colour_photos.parent))
    workspace.cache_clear()
    app = visit("images")
    (box,) = app.text_input
    box.set_value("/etc")
    button(app, "Open").click().run()
    assert "/etc may not be opened" in app.error[0].value
    app = visit("images")
    app.text_input[0].set_value(str(colour_photos))
    app = settled(button(app, "Open").click().run())
    assert is_sound(app) and f"{N_PHOTOS} pictures" in texts(app)


def thumbnails(*digests: str) -> Response:
    scope = {"type": "http", "query_string": f"digests={','.join(digests)}".encode()}
    return asyncio.run(routes.thumbnails(Request(scope)))


def test_thumbnails_come_together(filled):
    library = workspace().library
    pictures = library.load(filled["collection"]).pictures
    digests = [picture.digest for picture in pictures[:3]]
    answer = thumbnails(*digests)
    assert "immutable" in answer.headers["cache-control"]
    found = [base64.b64decode(content) for content in json.loads(answer.body)]
    assert found == [library.thumbnail_path(digest).read_bytes() for digest in digests]
    with_a_missing_one = thumbnails(digests[0], "0" * 64, "../preferences")
    assert json.loads(with_a_missing_one.body)[1:] == [None, None]
    assert with_a_missing_one.headers["cache-control"] == "no-store"
    assert thumbnails(*digests * 20).status_code == 400
