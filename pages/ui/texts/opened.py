"""The texts and the study of this place, opened once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from esmc_core.errors import EsmcError, StoreError
from esmc_core.texts.collection import TextCollection, text_labels
from pages.ui import place
from pages.ui.resources import text_library, text_workspace

if TYPE_CHECKING:
    from esmc_core.texts.study import Study


def open_texts() -> TextCollection | None:
    """The collection of this place; None where there is none (any more)."""
    if not place.here().texts:
        return None
    try:
        return load_texts(place.here().texts)
    except EsmcError:
        place.go(texts="")
        return None


def open_study() -> Study | None:
    """The study of this place; None where there is none (any more)."""
    if not place.here().study:
        return None
    try:
        return load_study(place.here().texts, place.here().study)
    except EsmcError:
        place.go(study="")
        return None


def load_texts(key: str) -> TextCollection:
    """A collection; that of a large one takes a moment to read, so it is kept."""
    folder = text_library().folder(key)
    record = folder / "texts.json"
    return _load_texts(str(folder), key, record.stat().st_mtime_ns if record.exists() else 0)


def load_study(texts: str, key: str) -> Study:
    """A study, with the embedders that it has loaded."""
    study = _load_study(load_texts(texts), key)
    if not (study.folder / "study.json").exists():
        raise StoreError("This perspective has been deleted.", "Begin it again.")
    return study


def labels_of(collection: TextCollection) -> list[str] | None:
    """(n_texts,) the user's labels, for the metrics alone; None where there are none."""
    labels = text_library().labels(collection.key)
    return None if labels is None else text_labels(collection, labels)


@lru_cache(maxsize=2)
def _load_texts(folder: str, key: str, changed_ns: int) -> TextCollection:
    return text_library().load(key)


@lru_cache(maxsize=2)
def _load_study(collection: TextCollection, key: str) -> Study:
    return text_workspace().open_study(collection, key)
