"""Where pictures are read from: a folder, a list of files, or a URL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from esmc_core.errors import InputError
from esmc_core.images.collection import Refusal, showable
from esmc_core.images.entry import Entry
from esmc_core.images.folder import walk_folder
from esmc_core.images.remote import is_url, local_path, read_place, walk_remote

LIST_SUFFIXES = (".txt", ".list")


@dataclass(frozen=True)
class Source:
    """What is to be read.

    Attributes:
        name: of a new collection.
        place: where it is, as shown to the user.
        entries: every file, and what may not be followed.
    """

    name: str
    place: str
    entries: Sequence[Entry | Refusal]


def is_list(place: str | Path) -> bool:
    """Whether it is a file with one path or URL a line."""
    return str(place).lower().endswith(LIST_SUFFIXES)


def find_folder(root: Path, *, skip: Path) -> Source:
    """The files under a resolved folder; see `walk_folder`."""
    return Source(root.name or str(root), str(root), list(walk_folder(root, skip=skip)))


def find_remote(url: str) -> Source:
    """The files under a URL, or those in the list at it."""
    name = PurePosixPath(url.rstrip("/")).name
    if is_list(url):
        return Source(PurePosixPath(name).stem, url, _listed(read_place(url), url, folder=None))
    return Source(name, url, list(walk_remote(url)))


def find_listed(path: Path) -> Source:
    """The files in a list on this machine; relative paths count from the list's folder."""
    entries = _listed(read_place(path), str(path), folder=path.parent)
    return Source(path.stem, str(path), entries)


def _listed(content: bytes, place: str, *, folder: Path | None) -> list[Entry | Refusal]:
    """An entry a line, called by what is left of it without the folder that all have in common.

    Args:
        folder: that relative paths count from; None where there may be none.
    """
    try:
        lines = [line.strip() for line in content.decode().splitlines()]
    except UnicodeDecodeError as error:
        raise InputError(
            f"{showable(place)} is no list.", "It must have one path or URL a line, in UTF-8."
        ) from error
    named = [line for line in lines if line and not line.startswith("#")]
    return [
        _entry(line, showable(name), folder)
        for line, name in zip(named, _short_names(named), strict=True)
    ]


def _entry(line: str, name: str, folder: Path | None) -> Entry | Refusal:
    path = local_path(line)
    if path is None:
        return Entry(name, line)
    if not path.is_absolute():
        if folder is None or is_url(line):
            return Refusal(name, "A path that is not absolute, in a list at a URL.")
        path = folder / path
    return Entry(name, path)


def _short_names(lines: Iterable[str]) -> list[str]:
    """The lines as relative POSIX paths without the folders that all of them begin with."""
    parts = [[part for part in line.split("/") if part not in ("", ".", "..")] for line in lines]
    shared = 0
    if parts:
        shortest = min(len(path) for path in parts) - 1
        while shared < shortest and len({path[shared] for path in parts}) == 1:
            shared += 1
    return ["/".join(path[shared:]) for path in parts]
