"""The collections of texts under one home folder."""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from esmc_core.errors import InputError, StoreError
from esmc_core.records import read_json, write_bytes, write_json
from esmc_core.texts.collection import TextCollection, text_labels

MAX_NAME = 80
_RECORD, _TEXTS, _ROWS, _LABELS = "texts.json", "texts.parquet", "rows.npy", "labels.parquet"


@dataclass(frozen=True)
class TextSummary:
    """A collection in a list; `created` is ISO time."""

    key: str
    name: str
    n_rows: int
    n_texts: int
    created: str


class TextLibrary:
    """Collections of texts, each in a folder by its key.

    Labels lie in a file of their own, which nothing but `labels` opens.

    Args:
        home: folder that holds all state.
    """

    def __init__(self, home: Path) -> None:
        self.root = Path(home) / "texts"

    def add(
        self, collection: TextCollection, *, labels: Sequence[str] | None = None
    ) -> TextCollection:
        """Keep a collection; the same content is kept once, under its first name.

        Args:
            labels: (n_rows,) a label a row, for the metrics and simulated judges; they replace
                earlier ones.
        """
        folder = self.root / collection.key
        if not (folder / _RECORD).exists():
            self._write(folder, collection)
        if labels is not None:
            text_labels(collection, labels)  # they fit
            write_bytes(folder / _LABELS, _parquet_bytes(labels))
        return self.load(collection.key)

    def load(self, key: str) -> TextCollection:
        """Reopen a collection.

        Raises:
            InputError: there is none of that key.
            StoreError: it is damaged.
        """
        folder = self.folder(key)
        if not folder.is_dir():
            raise InputError(f"There are no texts {key}.", "Choose some from the list.")
        record = read_json(folder / _RECORD)
        try:
            texts = tuple(_read_parquet(folder / _TEXTS))
            rows = np.load(folder / _ROWS, allow_pickle=False)
            found = TextCollection(record["name"], record["column"], texts, rows)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"The texts {folder} cannot be read ({error}).", "Add them again."
            ) from error
        if found.key != key:
            raise StoreError(f"The texts {folder} have been changed.", "Add them again.")
        return found

    def labels(self, key: str) -> list[str] | None:
        """(n_rows,) the labels that came with a collection; None where there are none."""
        path = self.folder(key) / _LABELS
        try:
            return _read_parquet(path) if path.exists() else None
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read ({error}).", "Add the texts again.") from error

    def list(self) -> list[TextSummary]:
        """All collections, the newest first; damaged ones are left out."""
        found = []
        for path in self.root.glob(f"*/{_RECORD}"):
            try:
                found.append(TextSummary(**read_json(path)["summary"]))
            except (StoreError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda summary: (summary.created, summary.key), reverse=True)

    def rename(self, key: str, name: str) -> None:
        """Give a collection another name; raise InputError for one that is empty or too long."""
        name = " ".join(name.split())
        if not 0 < len(name) <= MAX_NAME:
            raise InputError(f"“{name}” is no name.", f"Give 1 to {MAX_NAME} characters.")
        path = self.folder(key) / _RECORD
        record = read_json(path)
        write_json(path, record | {"name": name, "summary": record["summary"] | {"name": name}})

    def delete(self, key: str) -> None:
        """Delete a collection and what was made of it; judges' answers are kept."""
        folder = self.folder(key)
        if not folder.is_dir():
            raise InputError(f"There are no texts {key}.", "Choose some from the list.")
        shutil.rmtree(folder)

    def folder(self, key: str) -> Path:
        """Where a collection and what is made of it lies."""
        if not re.fullmatch(r"[0-9a-f]{16}", key):
            raise InputError(f"“{key}” is no key of texts.", "Choose some from the list.")
        return self.root / key

    def _write(self, folder: Path, collection: TextCollection) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        summary = TextSummary(
            collection.key, collection.name, collection.n_rows, collection.n_texts, now
        )
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".partial-") as temporary:
            complete = Path(temporary) / folder.name
            rows = io.BytesIO()
            np.save(rows, collection.rows)
            write_bytes(complete / _ROWS, rows.getvalue())
            write_bytes(complete / _TEXTS, _parquet_bytes(collection.texts))
            record = {"name": collection.name, "column": collection.column, "summary": summary}
            write_json(complete / _RECORD, record)
            try:
                complete.rename(folder)
            except OSError:
                if not (folder / _RECORD).exists():  # else somebody was faster
                    raise


def _parquet_bytes(values: Sequence[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"text": pa.array(values, pa.string())}), out)
    return out.getvalue()


def _read_parquet(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return [str(value) for value in pq.read_table(path)["text"].to_pylist()]
