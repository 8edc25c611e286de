"""A collection's records on disk: one JSON file and three files of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from esmc_core.errors import StoreError
from esmc_core.images.collection import (
    Collection,
    CollectionSummary,
    Duplicate,
    Picture,
    Refusal,
)
from esmc_core.records import read_json, write_bytes, write_json

Row = TypeVar("Row", Picture, Refusal, Duplicate)

RECORD = "collection.json"
PICTURES = "pictures.jsonl"
REFUSALS = "refusals.jsonl"
DUPLICATES = "duplicates.jsonl"


def write_collection(folder: Path, collection: Collection) -> None:
    """Write all records; the last one makes the collection exist."""
    _write_rows(folder / PICTURES, collection.pictures)
    _write_rows(folder / REFUSALS, collection.refusals)
    _write_rows(folder / DUPLICATES, collection.duplicates)
    copied = (picture.n_bytes for picture in collection.pictures if not picture.location)
    record = {
        "key": collection.key,
        "name": collection.name,
        "source": collection.source,
        "created": collection.created,
        "n_images": collection.n_images,
        "n_refused": len(collection.refusals),
        "n_duplicates": len(collection.duplicates),
        "n_bytes_copied": sum(copied),
    }
    write_json(folder / RECORD, record)


def read_collection(folder: Path) -> Collection:
    """Read all records; raise StoreError if one is missing or damaged."""
    record = _read_record(folder)
    return Collection(
        key=record["key"],
        name=record["name"],
        source=record["source"],
        created=record["created"],
        pictures=tuple(read_pictures(folder)),
        refusals=tuple(_read_rows(folder / REFUSALS, Refusal)),
        duplicates=tuple(_read_rows(folder / DUPLICATES, Duplicate)),
    )


def read_pictures(folder: Path) -> Iterator[Picture]:
    """The pictures of the collection in `folder`, one at a time."""
    return _read_rows(folder / PICTURES, Picture)


def read_summary(folder: Path) -> CollectionSummary:
    """What can be told without the pictures; a damaged record is marked so."""
    n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        record = _read_record(folder)
    except StoreError:
        name = f"{folder.name} (damaged)"
        return CollectionSummary(folder.name, name, "", "", 0, 0, 0, n_bytes, damaged=True)
    return CollectionSummary(
        key=record["key"],
        name=record["name"],
        created=record["created"],
        source=record["source"],
        n_images=record["n_images"],
        n_refused=record["n_refused"],
        n_duplicates=record["n_duplicates"],
        n_bytes=n_bytes + record["n_bytes_copied"],
    )


def write_name(folder: Path, name: str) -> None:
    """Give the collection in `folder` another name."""
    write_json(folder / RECORD, {**_read_record(folder), "name": name})


def _read_record(folder: Path) -> dict[str, Any]:
    record = read_json(folder / RECORD)
    expected = {"key", "name", "source", "created", "n_images", "n_refused", "n_duplicates"}
    if not isinstance(record, dict) or not expected | {"n_bytes_copied"} <= record.keys():
        raise StoreError(f"The record {folder / RECORD} is damaged.", "Delete the collection.")
    return record


def _write_rows(path: Path, rows: Iterable[Picture | Refusal | Duplicate]) -> None:
    # ASCII, so that a path that is not UTF-8 survives.
    lines = [json.dumps(asdict(row), separators=(",", ":")) + "\n" for row in rows]
    write_bytes(path, "".join(lines).encode("ascii"))


def _read_rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    names = {field.name for field in fields(kind)}
    try:
        with path.open(encoding="ascii") as lines:
            for line in lines:
                row = json.loads(line)
                yield kind(**{name: row[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"The record {path} cannot be read ({error}).", "Delete the collection."
        ) from error
