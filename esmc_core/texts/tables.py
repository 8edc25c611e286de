"""Files with texts in them: CSV, TSV, JSONL, Parquet and plain lines, as columns of strings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esmc_core.errors import InputError
from esmc_core.texts.encodings import decode

MAX_BYTES = 1 << 30
MAX_ROWS = 1_000_000
LINES_COLUMN = "text"
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "lines",
    ".text": "lines",
    "": "lines",
}
_DELIMITERS = ",;\t|"
_MAX_FIELD = 10_000_000


@dataclass(frozen=True)
class Table:
    """A file as columns.

    Attributes:
        name: of the file.
        format: "csv", "tsv", "jsonl", "parquet" or "lines".
        encoding: what its text is in; "" for Parquet.
        columns: for each column, in the file's order, its (n_rows,) strings; "" where there is
            nothing.
    """

    name: str
    format: str
    encoding: str
    columns: dict[str, list[str]]

    @property
    def n_rows(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def column(self, name: str) -> list[str]:
        """(n_rows,) the strings of a column; raise InputError if there is none of that name."""
        if name not in self.columns:
            known = ", ".join(self.columns)
            raise InputError(f"{self.name} has no column {name!r}.", f"It has: {known}.")
        return self.columns[name]

    def suggested_column(self) -> str:
        """The column that most looks like texts: the one with the most characters."""
        return max(self.columns, key=lambda name: sum(map(len, self.columns[name][:1000])))


def read_table(path: Path, *, encoding: str = "") -> Table:
    """Read a file; its suffix says what it is.

    Raises:
        InputError: there is no such file, it is too large, damaged, or has no rows.
    """
    existing_file(path)
    if path.stat().st_size > MAX_BYTES:
        raise InputError(
            f"{path.name} has {path.stat().st_size >> 20} MB; {MAX_BYTES >> 20} is the most.",
            "Split it.",
        )
    return parse_table(path.name, path.read_bytes(), encoding=encoding)


def existing_file(path: Path) -> None:
    """Raise InputError where no file is there."""
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Check the path.")


def parse_table(name: str, content: bytes, *, encoding: str = "") -> Table:
    """Read the bytes of a file, such as an upload; see `read_table`."""
    suffix = Path(name).suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(sorted(filter(None, FORMATS)))
        raise InputError(f"{name} is no file of texts that can be read.", f"Give one of {known}.")
    format = FORMATS[suffix]
    try:
        columns, found = _READERS[format](content, encoding)
    except InputError as error:
        raise InputError(f"{name}: {error.message}", error.hint) from None
    table = Table(name, format, found, columns)
    if not table.n_rows:
        raise InputError(f"{name} has no rows.", "Choose another file.")
    return table


Columns = tuple[dict[str, list[str]], str]


def _read_csv(content: bytes, encoding: str) -> Columns:
    return _read_delimited(content, encoding, "")


def _read_tsv(content: bytes, encoding: str) -> Columns:
    return _read_delimited(content, encoding, "\t")


def _read_delimited(content: bytes, encoding: str, delimiter: str) -> Columns:
    text, found = decode(content, encoding=encoding)
    header = text.split("\n", 1)[0]
    if not header.strip():
        raise InputError("The first line is empty.", "It has to name the columns.")
    csv.field_size_limit(_MAX_FIELD)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(header), strict=True
    )
    try:
        names = _unique([name.strip() for name in next(reader)])
        rows = list(_checked_rows(reader, names))
    except csv.Error as error:
        raise InputError(
            f"Line {reader.line_num} cannot be read ({error}).", "Check its quotes."
        ) from None
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return columns, found


def _delimiter(header: str) -> str:
    """The separator that stands most often in the first line, outside quotes."""
    outside = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def _checked_rows(reader: Any, names: Sequence[str]) -> Iterator[list[str]]:
    width = len(names)
    for n_rows, row in enumerate(reader, start=1):
        if len(row) > width:
            raise InputError(
                f"Line {reader.line_num} has {len(row)} fields, the first line names {width}.",
                "Put texts that hold the separator into quotes.",
            )
        if not row and width > 1:  # a blank line; in a single column it is an empty text
            continue
        _check_count(n_rows)
        yield row + [""] * (width - len(row))


def _read_jsonl(content: bytes, encoding: str) -> Columns:
    text, found = decode(content, encoding=encoding)
    columns: dict[str, list[str]] = {}
    n_rows = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        for name, value in _json_object(line, number).items():
            column = columns.setdefault(name, [])
            column += [""] * (n_rows - len(column))
            column.append(_plain(value))
        n_rows += 1
        _check_count(n_rows)
    for column in columns.values():
        column += [""] * (n_rows - len(column))
    return columns, found


def _json_object(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError(
            f"Line {number} is no JSON object.", 'Write one a line, such as {"text": "…"}.'
        )
    return value


def _read_lines(content: bytes, encoding: str) -> Columns:
    text, found = decode(content, encoding=encoding)
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    _check_count(len(lines))
    return {LINES_COLUMN: lines}, found


def _read_parquet(content: bytes, _encoding: str) -> Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _check_count(file.metadata.num_rows)
        names = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        table = file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"It is no Parquet file that can be read ({type(error).__name__}).", "Save it again."
        ) from None
    columns = zip(_unique(names), table.columns, strict=True)
    return {name: [_plain(value) for value in column.to_pylist()] for name, column in columns}, ""


def _plain(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _unique(names: Sequence[str]) -> list[str]:
    """The names, "column 3" for one that is empty, "text (2)" for one that was there before."""
    found: list[str] = []
    for number, name in enumerate(names, start=1):
        name = name or f"column {number}"
        again = 2
        unique = name
        while unique in found:
            unique, again = f"{name} ({again})", again + 1
        found.append(unique)
    return found


def _check_count(n_rows: int) -> None:
    if n_rows > MAX_ROWS:
        raise InputError(f"It has more than {MAX_ROWS:,} rows.", "Split it.")


_READERS: dict[str, Callable[[bytes, str], Columns]] = {
    "csv": _read_csv,
    "tsv": _read_tsv,
    "jsonl": _read_jsonl,
    "lines": _read_lines,
    "parquet": _read_parquet,
}
