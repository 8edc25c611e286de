"""What was read: pictures, what was refused, and the collection that holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from esmc_core.records import key_of


@dataclass(frozen=True)
class Picture:
    """One picture that can be decoded.

    Attributes:
        digest: sha256 of the file's bytes, 64 hex digits.
        file: POSIX path under the collection's root, fit to be shown.
        width: pixels, of the upright picture.
        height: pixels, of the upright picture.
        n_bytes: size of the file.
        location: absolute path or URL; empty for a copy under the home folder.
    """

    digest: str
    file: str
    width: int
    height: int
    n_bytes: int
    location: str


@dataclass(frozen=True)
class Refusal:
    """A file that was not read, and why, in words for the user."""

    file: str
    reason: str


@dataclass(frozen=True)
class Duplicate:
    """A file with the very bytes of the picture `of`."""

    file: str
    of: str


@dataclass(frozen=True)
class Collection:
    """Pictures sorted by file, each content once.

    Attributes:
        key: hash of the (file, digest) pairs; where the bytes lie plays no part.
        source: the folder or archive, or "upload".
        created: ISO 8601, UTC.
    """

    key: str
    name: str
    source: str
    created: str
    pictures: tuple[Picture, ...]
    refusals: tuple[Refusal, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()

    @property
    def n_images(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class CollectionSummary:
    """A collection without its pictures.

    Attributes:
        n_bytes: size on disk of its records, passes and clusterings, and of its copied pictures.
        damaged: its record cannot be read; it can only be deleted.
    """

    key: str
    name: str
    created: str
    source: str
    n_images: int
    n_refused: int
    n_duplicates: int
    n_bytes: int
    damaged: bool = False


def collection_key(pictures: Iterable[Picture]) -> str:
    """The key of a collection of these pictures, sorted by file."""
    return key_of(pictures=[(picture.file, picture.digest) for picture in pictures])


def split_duplicates(
    pictures: Iterable[Picture],
) -> tuple[tuple[Picture, ...], tuple[Duplicate, ...]]:
    """Sort by file and keep the first picture of each content."""
    kept: dict[str, Picture] = {}
    duplicates = []
    for picture in sorted(pictures, key=lambda picture: picture.file):
        first = kept.setdefault(picture.digest, picture)
        if first is not picture:
            duplicates.append(Duplicate(picture.file, of=first.file))
    return tuple(kept.values()), tuple(duplicates)


def showable(name: str) -> str:
    """`name` with every byte that is not UTF-8 (a lone surrogate) replaced."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", name)
