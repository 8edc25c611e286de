"""Texts are kept once, rows know theirs, and labels lie apart."""

import numpy as np
import pytest

from esmc_core.errors import InputError, StoreError
from esmc_core.texts.collection import EMPTY, collect, text_labels
from esmc_core.texts.library import TextLibrary

ROWS = ["one", "", "two ", "  one\n", "\u200b", "cafe\u0301", "café", "two"]


@pytest.fixture
def collection():
    return collect("file.csv", "text", ROWS)


def test_each_text_once_in_its_first_form(collection):
    assert collection.texts == ("one", "two", "cafe\u0301")
    assert collection.rows.tolist() == [0, EMPTY, 1, 0, EMPTY, 2, 2, 1]
    assert collection.empty_rows.tolist() == [1, 4]
    assert collection.first_rows.tolist() == [0, 2, 5]
    assert collection.duplicates == [(3, 0), (6, 5), (7, 2)]


def test_the_key_is_of_the_content(collection):
    assert collect("other.csv", "other", ROWS).key == collection.key
    assert collect("file.csv", "text", ROWS[1:]).key != collection.key
    assert collect("file.csv", "text", ["ab", "c"]).key != collect("", "", ["a", "bc"]).key


def test_half_a_character_is_replaced():
    assert collect("f", "c", ["a\ud800b"]).texts == ("a?b",)


def test_nothing_to_read():
    with pytest.raises(InputError, match="column 'text' of f is empty"):
        collect("f", "text", ["", " "])


def test_labels_of_the_first_rows(collection):
    assert text_labels(collection, list("abcdefgh")) == ["a", "c", "f"]
    with pytest.raises(InputError, match="7 labels do not fit 8 rows"):
        text_labels(collection, list("abcdefg"))


def test_a_library_keeps_collections_and_labels_apart(collection, tmp_path):
    library = TextLibrary(tmp_path)
    kept = library.add(collection)
    assert kept.key == collection.key and kept.texts == collection.texts
    assert np.array_equal(kept.rows, collection.rows)
    assert library.labels(kept.key) is None
    library.add(collect("again.csv", "text", ROWS), labels=list("abcdefgh"))
    (summary,) = library.list()
    assert (summary.name, summary.n_rows, summary.n_texts) == ("file.csv", 8, 3)
    assert library.labels(kept.key) == list("abcdefgh")
    library.delete(kept.key)
    assert library.list() == []


@pytest.mark.parametrize("file", ["texts.parquet", "rows.npy", "texts.json"])
def test_a_damaged_collection_says_so(collection, tmp_path, file):
    library = TextLibrary(tmp_path)
    library.add(collection)
    (library.folder(collection.key) / file).write_bytes(b"damaged")
    with pytest.raises(StoreError, match="cannot be read"):
        library.load(collection.key)


def test_changed_rows_are_noticed(collection, tmp_path):
    library = TextLibrary(tmp_path)
    library.add(collection)
    np.save(library.folder(collection.key) / "rows.npy", np.zeros(3, dtype=np.int64))
    with pytest.raises(StoreError, match="have been changed"):
        library.load(collection.key)


@pytest.mark.parametrize("key", ["", "../etc", "0" * 16, "x" * 16])
def test_a_key_that_is_none(tmp_path, key):
    with pytest.raises(InputError):
        TextLibrary(tmp_path).load(key)
