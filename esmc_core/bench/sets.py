"""Labelled collections on disk: a folder of pictures with a labels.csv in each."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from esmc_core.errors import InputError
from esmc_core.images import Collection

LABELS = "labels.csv"
_FILE = "file"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labels:
    """What a labels.csv says.

    Attributes:
        path: where it lies.
        columns: names of the criteria, in the file's order.
        rows: file → one class a column, "" where it is not known.
    """

    path: Path
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]

    def truth(self, collection: Collection, column: str) -> list[str]:
        """(n_images,) the class of each picture of the collection, "" where it is not known.

        Raises:
            InputError: the pictures have fewer than two classes, or each one of its own.
        """
        place = self.columns.index(column)
        nothing = ("",) * len(self.columns)
        truth = [self.rows.get(picture.file, nothing)[place] for picture in collection.pictures]
        n_labelled, n_classes = sum(map(bool, truth)), count_classes(truth)
        if not 2 <= n_classes < n_labelled:
            raise InputError(
                f"Column {column} in {self.path} has {n_classes} classes for "
                f"{n_labelled} pictures.",
                "Check the file names in it, or name the columns to measure with --prompts.",
            )
        return truth

    def count_unused(self, collection: Collection, column: str) -> int:
        """Labels of files that are missing, unreadable or exact duplicates of others."""
        place = self.columns.index(column)
        used = {picture.file for picture in collection.pictures}
        return sum(1 for file, row in self.rows.items() if row[place] and file not in used)


def find_sets(data: Path, names: Sequence[str] | None = None) -> list[Path]:
    """The folders to measure, sorted: those in `data` that hold a labels.csv, or `data` itself.

    Args:
        names: of the folders to take; all if None.

    Raises:
        InputError: there is no such folder, or no labels.csv in it.
    """
    if not data.is_dir():
        raise InputError(f"There is no folder {data}.", "Check the path.")
    if (data / LABELS).is_file():
        found = [data.resolve()]
    else:
        found = sorted(path.parent for path in data.glob(f"*/{LABELS}"))
    if not found:
        raise InputError(
            f"Neither {data} nor a folder in it holds a {LABELS}.",
            f"Write one: the column {_FILE}, then one column a criterion.",
        )
    known = {folder.name: folder for folder in found}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise InputError(
            f"There is no set {', '.join(unknown)} in {data}.", f"There are {', '.join(known)}."
        )
    return [known[name] for name in dict.fromkeys(names)] if names else found


def read_sets(data: Path, names: Sequence[str] | None = None) -> dict[Path, Labels]:
    """The folders to measure with what their labels.csv say; raises what the two steps raise."""
    return {folder: read_labels(folder) for folder in find_sets(data, names)}


def read_labels(folder: Path) -> Labels:
    """Read a set's labels.csv.

    Raises:
        InputError: it is missing, no UTF-8 CSV, or lacks the column `file` or any other.
    """
    path = folder / LABELS
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            names = [name for name in table.fieldnames or () if name]
            rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}).", "Save it as UTF-8 CSV.") from error
    if _FILE not in names or len(names) < 2:
        raise InputError(
            f"{path} has the columns {', '.join(names) or '(none)'}.",
            f"It needs {_FILE} and at least one criterion.",
        )
    columns = tuple(name for name in names if name != _FILE)
    classes = {
        (row[_FILE] or "").strip(): tuple((row[name] or "").strip() for name in columns)
        for row in rows
    }
    _tell_missing(path, [file for file in classes if file and not (folder / file).is_file()])
    return Labels(path, columns, classes)


def _tell_missing(path: Path, files: Sequence[str]) -> None:
    if files:
        named = ", ".join(files[:3]) + (" …" if len(files) > 3 else "")
        logger.warning("%s labels what is not there (%d): %s", path, len(files), named)


def count_classes(truth: Sequence[str]) -> int:
    """How many different classes are known: K, the one thing that the method is told."""
    return len(set(truth) - {""})
