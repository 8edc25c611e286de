"""Where the user is: the one place that names what a page needs from another.

The place lies in the address, so that a reload or a copied link finds it again, and on disk, so
that the app opens where it was left.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from esmc_core.errors import EsmcError, StoreError
from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from esmc_core.records import read_json, write_json
from pages.ui.resources import workspace

_KEY = "place"


_CHAINS = (("collection", "lens", "cell", "clusters"), ("texts", "study", "groups"))
"""Each name hangs on those before it in its chain."""


@dataclass(frozen=True)
class Place:
    """Keys of what is open.

    Attributes:
        collection: key of the collection, "" for none.
        lens: key of the pass over it.
        cell: "layer.position" that the user chose; "" follows the suggestion.
        clusters: key of the clustering.
        texts: key of the collection of texts, "" for none.
        study: key of the perspective on them.
        groups: key of the clustering of the texts.
    """

    collection: str = ""
    lens: str = ""
    cell: str = ""
    clusters: str = ""
    texts: str = ""
    study: str = ""
    groups: str = ""


def here() -> Place:
    """The place of this session."""
    found: Place = st.session_state.get(_KEY, Place())
    return found


def go(**changes: Any) -> None:
    """Move on; what hangs on a changed key is left behind."""
    current = here()
    for chain in _CHAINS:
        for number, name in enumerate(chain):
            if name in changes and changes[name] != getattr(current, name):
                behind = chain[number + 1 :]
                current = replace(current, **{key: "" for key in behind})
                current = replace(current, **{name: changes[name]})
    st.session_state[_KEY] = current


def parts() -> dict[str, str]:
    """What is open, as it stands in the address."""
    return {name: value for name, value in asdict(here()).items() if value}


def restore() -> None:
    """At a session's start: the place in the address, else the one that was left last.

    For pictures and for texts alike: an address may tell of one of them only.
    """
    if _KEY in st.session_state:
        return
    found: dict[str, str] = {}
    for chain in _CHAINS:
        given = {name: st.query_params[name] for name in chain if name in st.query_params}
        found |= given or _left_last(list(chain))
    st.session_state[_KEY] = Place(**found)


def remember() -> None:
    """At the end of every run: put the place into the address and on disk."""
    if st.query_params.to_dict() != parts():
        st.query_params.from_dict(parts())
    if st.session_state.get("place_on_disk") != here():
        write_json(_file(), asdict(here()))
        st.session_state["place_on_disk"] = here()


def open_collection() -> Collection | None:
    """The collection of this place; None where there is none (any more)."""
    if not here().collection:
        return None
    try:
        return load_collection(here().collection)
    except EsmcError:
        go(collection="")
        return None


def open_store() -> LensStore | None:
    """The pass of this place; None where there is none (any more)."""
    if not here().lens:
        return None
    try:
        return workspace().open_pass(here().collection, here().lens)
    except EsmcError:
        go(lens="")
        return None


def load_collection(key: str) -> Collection:
    """A collection's record; that of a large one takes a moment to read, so it is kept."""
    record = workspace().library.folder(key) / "collection.json"
    return _load_collection(record, key, record.stat().st_mtime_ns if record.exists() else 0)


@lru_cache(maxsize=2)  # not Streamlit's cache, which copies all that it gives
def _load_collection(record: Path, key: str, changed_ns: int) -> Collection:
    return workspace().library.load(key)


def _left_last(names: list[str]) -> dict[str, str]:
    try:
        record = read_json(_file())
    except StoreError:
        return {}
    if not isinstance(record, dict):
        return {}
    return {name: record[name] for name in names if isinstance(record.get(name), str)}


def _file() -> Any:
    return workspace().config.home / "place.json"
