"""Texts come in: a file and its column, or the samples."""

import pytest

from pages.ui.resources import text_library
from tests.app.conftest import button, is_sound, settled, texts

CSV = "message,kind\nhello there,a\n,b\ngood bye,a\nhello  there,a\nthank you,b\nwell well,b\n"


def upload(app, name: str, content: bytes):
    app.file_uploader[0].set_value([(name, content, "text/plain")]).run()
    return settled(app)


def box(app, label: str):
    (found,) = [one for one in app.selectbox if one.label == label]
    return found


def test_the_samples(visit):
    app = button(visit("texts"), "Open the sample texts").click().run()
    assert is_sound(app) and app.title[0].value == "Sample messages"
    assert "120 different texts · 120 rows" in texts(app)
    (summary,) = text_library().list()
    assert len(set(text_library().labels(summary.key))) == 6


def test_a_file_its_column_and_its_labels(visit):
    app = upload(visit("texts"), "some.csv", CSV.encode())
    assert is_sound(app)
    assert box(app, "Column with the texts").value == "message"
    assert "4 different texts · 6 rows · 1 empty · 1 repeated · read as utf-8" in texts(app)
    app = box(app, "Labels, for evaluation only").set_value("kind").run()
    app = button(app, "Use these texts").click().run()
    assert is_sound(app) and app.title[0].value == "some.csv"
    (summary,) = text_library().list()
    assert text_library().labels(summary.key) == ["a", "b", "a", "a", "b", "b"]
    told = app.dataframe[0].value
    assert told["Row"].tolist() == [2, 4]
    assert told["Why"].tolist() == ["Empty", "The same as row 1"]
    found = settled(app.text_input[0].set_value("HELLO").run())
    assert "1 text with" in texts(found)
    button(found, "Ask about them").click().run()
    assert is_sound(found) and found.title[0].value == "What makes two texts belong together?"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "first line is empty"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "NUL bytes"),
        ("picture.parquet", b"\x89PNG\r\n", "no Parquet file"),
        ("bad.jsonl", b'{"text": 1}\nnothing', "Line 2 is no JSON object"),
        ("wide.csv", b"text\na,b\n", "Line 2 has 2 fields"),
        ("head.csv", b"text,label\n", "has no rows"),
        ("nothing.txt", b"", "has no rows"),
    ],
)
def test_files_that_cannot_be_read(name, content, message, visit):
    app = upload(visit("texts"), name, content)
    (error,) = app.error
    assert message in error.value.replace("\\", "")
    assert app.file_uploader
    assert is_sound(upload(app, "good.txt", b"one\ntwo\nthree\nfour"))


def test_columns_that_hold_nothing_of_use(visit):
    app = upload(visit("texts"), "bad.csv", b"id,one,none\n1,x,\n2,x,\n3,x,\n")
    app = box(app, "Column with the texts").set_value("none").run()
    assert "is empty" in app.error[0].value and button(app, "Use these texts").disabled
    app = box(app, "Column with the texts").set_value("one").run()
    assert "only 1 different text" in app.error[0].value
    assert button(app, "Use these texts").disabled
    app = box(app, "Column with the texts").set_value("id").run()
    told = [one.value for one in app.warning]
    assert "too few to ask" in told[0] and "numbers" in told[1]
    app = button(app, "Another file").click().run()
    assert app.file_uploader


def test_two_texts_go_on_to_the_clusters_without_questions(visit, server, text_embedder):
    from pages.ui import preferences

    preferences.put(embedder=text_embedder)
    app = upload(visit("texts"), "two.txt", b"rain and sun\nplay a song")
    app = button(app, "Use these texts").click().run()
    (summary,) = text_library().list()
    app = visit("questions", texts=summary.key)
    app = app.pills[0].set_value("topic").run()
    assert "too few to ask about" in texts(app)
    button(app, "Go on to the clusters").click().run()
    app = settled(visit("text_clusters", **dict(app.query_params)))
    assert is_sound(app) and "2 clusters" in texts(app)


def test_another_encoding(visit):
    app = upload(visit("texts"), "letters.txt", "größe\nschön\nüber\nweiß".encode("cp1252"))
    assert "read as cp1252" in texts(app)
    app = app.text_input[0].set_value("utf-8").run()
    app = settled(button(app, "Read again").click().run())
    assert "not in utf-8" in app.error[0].value
