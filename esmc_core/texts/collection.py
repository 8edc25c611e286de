"""The texts of one column, each kept once, and which row has which."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from esmc_core.errors import InputError
from esmc_core.texts.tables import Table

EMPTY = -1


@dataclass(frozen=True, eq=False)
class TextCollection:
    """What the method works on; it knows no labels.

    Attributes:
        name: what the user reads.
        column: where in the file the texts were.
        texts: (n_texts,) distinct texts that are not empty, in the order of their first row.
        rows: (n_rows,) int64, for each row of the file its text, EMPTY where there is none.
    """

    name: str
    column: str
    texts: tuple[str, ...]
    rows: np.ndarray

    @property
    def key(self) -> str:
        """Of the rows' texts in their order; the same content has the same key."""
        digest = hashlib.sha256(digest_texts(self.texts).encode())
        digest.update(np.ascontiguousarray(self.rows, dtype="<i8").tobytes())
        return digest.hexdigest()[:16]

    @property
    def n_texts(self) -> int:
        return len(self.texts)

    @property
    def n_rows(self) -> int:
        return len(self.rows)

    @property
    def empty_rows(self) -> np.ndarray:
        """Rows without a text, from 0."""
        return np.flatnonzero(self.rows == EMPTY)

    @property
    def first_rows(self) -> np.ndarray:
        """(n_texts,) the row in which each text stands first."""
        filled = np.flatnonzero(self.rows != EMPTY)
        texts, first = np.unique(self.rows[filled], return_index=True)
        found = np.empty(len(texts), dtype=np.int64)
        found[texts] = filled[first]
        return found

    @property
    def duplicates(self) -> list[tuple[int, int]]:
        """(row, the earlier row whose text it repeats), by row."""
        filled = np.flatnonzero(self.rows != EMPTY)
        originals = self.first_rows[self.rows[filled]]
        repeats = originals != filled
        return list(zip(filled[repeats].tolist(), originals[repeats].tolist(), strict=True))


def collect(name: str, column: str, values: Sequence[str]) -> TextCollection:
    """Keep each text once; texts that differ in white space or Unicode form only are the same.

    Raises:
        InputError: there is no text at all.
    """
    number: dict[str, int] = {}
    texts: list[str] = []
    rows = np.full(len(values), EMPTY, dtype=np.int64)
    for row, value in enumerate(values):
        # JSON can hold a lone half of a surrogate pair, and NUL, which no CSV can.
        value = value.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
        same = canonical(value)
        if not same:
            continue
        if same not in number:
            number[same] = len(texts)
            texts.append(value.strip())
        rows[row] = number[same]
    if not texts:
        raise InputError(f"The column {column!r} of {name} is empty.", "Choose another column.")
    return TextCollection(name, column, tuple(texts), rows)


def collect_column(table: Table, column: str) -> TextCollection:
    """The texts of a column of a file."""
    return collect(table.name, column, table.column(column))


def text_labels(collection: TextCollection, values: Sequence[str]) -> list[str]:
    """(n_texts,) labels of the texts' first rows, for the metrics and simulated judges alone.

    Args:
        values: (n_rows,) a label a row, "" where there is none.

    Raises:
        InputError: the numbers of rows differ.
    """
    if len(values) != collection.n_rows:
        raise InputError(
            f"{len(values)} labels do not fit {collection.n_rows} rows.", "Give one a row."
        )
    return [values[row].strip() for row in collection.first_rows]


def canonical(text: str) -> str:
    """What makes two texts the same: letters in composed form, white space as single blanks."""
    visible = text.replace("\ufeff", "").replace("\u200b", "")
    return " ".join(unicodedata.normalize("NFC", visible).split())


def digest_texts(texts: Sequence[str]) -> str:
    """SHA-256 of the texts in their order."""
    digest = hashlib.sha256()
    for text in texts:
        content = text.encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()
