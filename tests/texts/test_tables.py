"""Files with texts: what is read, in which encoding, and what is refused in a sentence."""

import codecs
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from esmc_core.errors import InputError
from esmc_core.texts import tables
from esmc_core.texts.encodings import decode, find_encoding
from esmc_core.texts.tables import parse_table, read_table

FRENCH = "L'été à la forêt, où l'hôtel français dépasse mes espérances déjà élevées."
RUSSIAN = "Где моя карта? Я заказал её на прошлой неделе, и она ещё не пришла."


def test_csv_with_quotes_line_breaks_and_short_rows():
    content = b'id,text,label\r\n1,"a, b\r\nand ""c""",x\r\n\r\n2,plain\r\n'
    table = parse_table("some.csv", content)
    assert (table.format, table.encoding, table.n_rows) == ("csv", "utf-8", 2)
    assert table.columns == {
        "id": ["1", "2"],
        "text": ['a, b\r\nand "c"', "plain"],
        "label": ["x", ""],
    }
    assert table.suggested_column() == "text"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_first_line(delimiter):
    content = f'"a,;|\t,,"{delimiter}b\n1{delimiter}2\n'.encode()
    assert list(parse_table("some.csv", content).columns.values())[-1] == ["2"]


def test_a_blank_line_in_a_single_column_is_an_empty_text():
    assert parse_table("a.csv", b"text\none\n\ntwo\n").column("text") == ["one", "", "two"]


def test_tsv_keeps_commas():
    assert parse_table("a.tsv", b"text\tlabel\none, two\tx\n").column("text") == ["one, two"]


def test_jsonl_of_uneven_objects():
    lines = [{"text": "a", "n": 1}, {"text": None, "more": ["x", 2]}, {"n": 2.5}]
    content = "\n".join(map(json.dumps, lines)).encode() + b"\n\n"
    assert parse_table("a.jsonl", content).columns == {
        "text": ["a", "", ""],
        "n": ["1", "", "2.5"],
        "more": ["", '["x", 2]', ""],
    }


def test_jsonl_breaks_lines_at_line_feeds_only():
    content = json.dumps({"text": "one\u2028two"}, ensure_ascii=False).encode()
    assert parse_table("a.jsonl", content).column("text") == ["one\u2028two"]


def test_plain_lines():
    table = parse_table("a.txt", b"one\r\n\r\ntwo, three\r\n")
    assert table.columns == {"text": ["one", "", "two, three"]}


def test_parquet(tmp_path):
    content = pa.table({"text": ["a", None], "n": [1, 2], "nested": [[1], [2]]})
    pq.write_table(content, tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table.columns == {"text": ["a", ""], "n": ["1", "2"]}
    assert table.encoding == ""


def test_names_of_columns_are_made_different():
    table = parse_table("a.csv", b"text,,text\n1,2,3\n")
    assert list(table.columns) == ["text", "column 2", "text (2)"]


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (FRENCH, "utf-8", "utf-8"),
        (FRENCH, "utf-8-sig", "utf-8-sig"),
        (FRENCH, "utf-16", "utf-16"),
        (FRENCH, "utf-16-le", "utf-16-le"),
        (FRENCH, "utf-16-be", "utf-16-be"),
        (FRENCH, "cp1252", ""),
        ("Die Brücke über den Fluß ist größer – „schöner“ auch.", "cp1252", ""),
        ("I’m here", "cp1252", ""),
        ("Zażółć gęślą jaźń, proszę o pomoc z kartą płatniczą.", "cp1250", ""),
        (RUSSIAN, "cp1251", ""),
        ("カードはどこですか。先週注文しました。", "shift_jis", ""),
        (RUSSIAN, "utf-32", "utf-32"),
    ],
)
def test_encodings_are_found(text, encoding, found):
    content = "\n".join([text] * 20).encode(encoding)
    assert not found or find_encoding(content) == found
    assert decode(content)[0].splitlines()[0] == text


def test_one_foreign_letter_late_in_a_long_file():
    content = b"plain line\n" * 50_000 + "café déjà vu à la forêt".encode("cp1252")
    assert decode(content)[0].endswith("café déjà vu à la forêt")


def test_any_bytes_are_some_text_or_refused():
    assert decode(bytes(range(1, 256)))[0]
    with pytest.raises(InputError, match="NUL bytes"):
        decode(b"\x01\x00\x00\x02\x03\x04" * 100)


def test_an_encoding_that_is_given_is_taken_or_refused():
    assert decode(b"\xe9", encoding="cp1252") == ("é", "cp1252")
    with pytest.raises(InputError, match=r"not in utf-8 \(byte 0\)"):
        decode(b"\xe9", encoding="utf-8")
    with pytest.raises(InputError, match="no encoding klingon"):
        decode(b"a", encoding="klingon")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "a.csv: The first line is empty"),
        ("a.csv", b"text\n", "a.csv has no rows"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "Line 3 has 3 fields, the first line names 2"),
        ("a.csv", b'a,b\n1,"2\n3,4\n', "cannot be read"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "Line 2 is no JSON object"),
        ("a.jsonl", b"{", "Line 1 is no JSON object"),
        ("a.jsonl", b"\n\n", "a.jsonl has no rows"),
        ("a.txt", b"", "a.txt has no rows"),
        ("a.parquet", b"PAR1 not", "no Parquet file"),
        ("a.docx", b"PK", "a.docx is no file of texts"),
        ("a.csv", codecs.BOM_UTF8, "The first line is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(name, content, message):
    with pytest.raises(InputError, match=message):
        parse_table(name, content)


def test_a_column_that_is_not_there_names_those_that_are():
    table = parse_table("a.csv", b"id,text\n1,2\n")
    with pytest.raises(InputError, match=r"no column 'Text'.*id, text"):
        table.column("Text")


def test_missing_and_huge_files(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="There is no file"):
        read_table(tmp_path / "gone.csv")
    (tmp_path / "a.csv").write_text("text\n1\n2\n")
    monkeypatch.setattr(tables, "MAX_ROWS", 1)
    with pytest.raises(InputError, match="more than 1 rows"):
        read_table(tmp_path / "a.csv")
    monkeypatch.setattr(tables, "MAX_BYTES", 5)
    with pytest.raises(InputError, match="is the most"):
        read_table(tmp_path / "a.csv")


def test_a_hundred_thousand_rows():
    rows = "\n".join(f'{i},"text number {i}, of many"' for i in range(100_000))
    table = parse_table("a.csv", f"id,text\n{rows}\n".encode())
    assert table.n_rows == 100_000
    assert table.column("text")[-1] == "text number 99999, of many"
