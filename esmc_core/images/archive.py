"""Untrusted archives: told by their first bytes, streamed, never unpacked to paths."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from esmc_core.errors import EsmcError
from esmc_core.images.collection import Refusal
from esmc_core.images.entry import Budget, Entry, is_clutter
from esmc_core.images.signature import ARCHIVES, HEAD_BYTES, kind_of
from esmc_core.images.tar_archive import TAR_ERRORS, walk_tar
from esmc_core.images.zip_archive import open_zip, walk_zip

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class DamagedArchive(EsmcError):
    """An archive that cannot be read to its end; what came before is good."""


def archive_kind(stream: BinaryIO) -> str:
    """The kind of archive that `stream` holds, or ""; the stream is rewound."""
    kind = _kind_of(stream)
    return kind if kind in ARCHIVES else ""


def is_archive(name: str, stream: BinaryIO) -> bool:
    """Whether a file is an archive, or by its name was one before it was damaged."""
    kind = _kind_of(stream)
    return kind in ARCHIVES or (not kind and name.lower().endswith(_SUFFIXES))


def _kind_of(stream: BinaryIO) -> str:
    kind = kind_of(stream.read(HEAD_BYTES))
    stream.seek(0)
    return kind


def walk_archive(name: str, stream: BinaryIO, budget: Budget) -> Iterator[Entry | Refusal]:
    """The pictures of a zip or tar (gz, bz2, xz), in its own order, and its refused members.

    Args:
        name: of the archive, for messages.
        stream: seekable.

    Raises:
        DamagedArchive: it cannot be read to its end.
        InputError: too many entries, or it unpacks to too much.
    """
    kind = archive_kind(stream)
    packed_bytes = stream.seek(0, 2)
    stream.seek(0)
    try:
        if kind == "zip":
            with open_zip(stream) as archive:
                yield from walk_zip(archive, budget, packed_bytes=packed_bytes)
        else:
            yield from walk_tar(stream, kind, budget, packed_bytes=packed_bytes)
    except (zipfile.BadZipFile, NotImplementedError, *TAR_ERRORS) as error:
        raise DamagedArchive(
            f"The archive {name} is damaged, or not a zip or tar archive ({error}).",
            "Copy or pack it again.",
        ) from error


def count_members(stream: BinaryIO) -> int | None:
    """How many files an archive holds, 1 for any other file; None where it cannot be told."""
    kind = archive_kind(stream)
    if kind != "zip":
        return None if kind else 1
    try:
        with open_zip(stream) as archive:
            members = archive.infolist()
    except (EsmcError, zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return None
    return sum(not (member.is_dir() or is_clutter(member.filename)) for member in members)
