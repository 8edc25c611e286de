"""Entries of uploaded files; the archives among them are unpacked."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from esmc_core.errors import InputError
from esmc_core.images.archive import DamagedArchive, count_members, is_archive, walk_archive
from esmc_core.images.collection import Refusal, showable
from esmc_core.images.entry import Budget, Entry, is_clutter, read_capped, relative_file

Upload = tuple[str, BinaryIO | bytes]


def walk_uploads(files: Sequence[Upload], budget: Budget) -> Iterator[Entry | Refusal]:
    """The pictures among `files` and in their archives, and what is refused.

    Raises:
        InputError: too much in all, or the only file is a damaged archive.
    """
    for name, content in files:
        stream = _stream_of(content)
        if not is_archive(name, stream):
            yield _read_file(name, stream, budget)
            continue
        try:
            yield from walk_archive(showable(name), stream, budget)
        except DamagedArchive as error:
            if len(files) == 1:
                raise InputError(error.message, error.hint) from error
            yield Refusal(showable(name), str(error))


def without_clutter(files: Sequence[Upload]) -> list[Upload]:
    """`files` without hidden ones."""
    return [(name, content) for name, content in files if not is_clutter(name)]


def count_uploads(files: Sequence[Upload]) -> int | None:
    """How many entries `walk_uploads` will yield; None where only reading them all can tell."""
    counts = [count_members(_stream_of(content)) for _, content in files]
    return None if None in counts else sum(count or 0 for count in counts)


def _read_file(name: str, stream: BinaryIO, budget: Budget) -> Entry | Refusal:
    try:
        file = relative_file(name)
        content = read_capped(stream)
    except InputError as error:
        return Refusal(showable(name), str(error))
    budget.spend(len(content))
    return Entry(file, content)


def _stream_of(content: BinaryIO | bytes) -> BinaryIO:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    content.seek(0)
    return content
