"""Streaming the members of an untrusted tar archive, packed or not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from esmc_core.errors import InputError
from esmc_core.images import limits
from esmc_core.images.collection import Refusal, showable
from esmc_core.images.entry import (
    Budget,
    Entry,
    Readable,
    check_ratio,
    is_clutter,
    relative_file,
)
from esmc_core.images.picture_file import check_bytes, check_kind
from esmc_core.images.signature import HEAD_BYTES

TAR_ERRORS = (
    tarfile.TarError,
    EOFError,
    OSError,
    ValueError,
    RecursionError,
    zlib.error,
    lzma.LZMAError,
)
"""What a damaged tar, or a damaged stream under it, is seen to raise."""

_CHUNK_BYTES = 1 << 20


class ForwardStream:
    """Unpacked bytes that are read once, forward, under limits.

    tarfile trusts the sizes in headers: it would read a header of many gigabytes into memory, or
    turn in circles on a negative size. Here a read beyond the allowance and a seek backwards fail.

    Args:
        stream: the unpacked archive.
        packed_bytes: size of the packed archive.
    """

    def __init__(self, stream: Readable, packed_bytes: int) -> None:
        self._stream = stream
        self._packed_bytes = packed_bytes
        self._position = 0
        self._allowance = limits.MAX_TAR_HEADER_BYTES

    def allow(self, n_bytes: int) -> None:
        """Let the next reads take `n_bytes` together."""
        self._allowance = n_bytes

    def read(self, n_bytes: int) -> bytes:
        if n_bytes < 0 or n_bytes > self._allowance:
            raise tarfile.ReadError("a header is too large")
        self._allowance -= n_bytes
        return self._advance(n_bytes)

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if position < self._position:
            raise tarfile.ReadError("a header points backwards")
        while self._position < position:
            if not self._advance(min(_CHUNK_BYTES, position - self._position)):
                break
        return self._position

    def _advance(self, n_bytes: int) -> bytes:
        data = self._stream.read(n_bytes)
        self._position += len(data)
        check_ratio(self._position, self._packed_bytes)
        return data


def walk_tar(
    stream: BinaryIO, kind: str, budget: Budget, *, packed_bytes: int
) -> Iterator[Entry | Refusal]:
    """The pictures in an archive, in its own order, and its refused members.

    Args:
        kind: "tar", "gzip", "bzip2" or "xz".

    Raises:
        InputError: more than MAX_ENTRIES entries, or the archive unpacks to too much.
        TAR_ERRORS: damaged, or not a tar.
    """
    forward = ForwardStream(_unpack(stream, kind), packed_bytes)
    with tarfile.open(fileobj=cast(BinaryIO, forward), mode="r:") as archive:
        for member in _members(archive, forward):
            if member.isdir() or is_clutter(member.name):
                continue
            try:
                file = relative_file(member.name)
                _check_member(member)
            except InputError as error:
                yield Refusal(showable(member.name), str(error))
                continue
            forward.allow(limits.MAX_FILE_BYTES + _CHUNK_BYTES)
            content = _read_member(archive, member)
            if isinstance(content, InputError):
                yield Refusal(file, str(content))
                continue
            budget.spend(len(content))
            yield Entry(file, content)


def _members(archive: tarfile.TarFile, forward: ForwardStream) -> Iterator[tarfile.TarInfo]:
    count = 0
    forward.allow(limits.MAX_TAR_HEADER_BYTES)
    while (member := archive.next()) is not None:
        count += 1
        if count > limits.MAX_ENTRIES:
            raise InputError(
                f"The archive has more than {limits.MAX_ENTRIES:,} entries.",
                "Split it into several.",
            )
        archive.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
        yield member
        forward.allow(limits.MAX_TAR_HEADER_BYTES)


def _check_member(member: tarfile.TarInfo) -> None:
    if not member.isreg():
        raise InputError("A link or device in an archive.", "Pack the picture itself.")
    if member.issparse():
        raise InputError("A sparse file in an archive.", "Pack it anew as an ordinary tar.")
    check_bytes(member.size)


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | InputError:
    """The member's bytes, or why it is no picture; other errors are the archive's."""
    stream = archive.extractfile(member)
    if stream is None:
        return InputError("A link or device in an archive.", "Pack the picture itself.")
    head = stream.read(HEAD_BYTES)
    try:
        check_kind(head)
    except InputError as error:
        return error
    return head + stream.read()


def _unpack(stream: BinaryIO, kind: str) -> Readable:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=stream)
    if kind == "bzip2":
        return bz2.BZ2File(stream)
    if kind == "xz":
        return lzma.LZMAFile(stream)
    return stream
