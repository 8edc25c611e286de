"""Streaming the members of an untrusted zip archive."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from esmc_core.errors import InputError
from esmc_core.images import limits
from esmc_core.images.collection import Refusal, showable
from esmc_core.images.entry import (
    Budget,
    Entry,
    check_ratio,
    is_clutter,
    read_capped,
    relative_file,
)
from esmc_core.images.picture_file import check_bytes, check_kind
from esmc_core.images.signature import HEAD_BYTES

# Other methods can unpack a few kilobytes to gigabytes in one step.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_BYTES = 20
_MAX_COMMENT_BYTES = 1 << 16
_MIN_ENTRY_BYTES = 46
_ENCRYPTED = 0x1


def open_zip(stream: BinaryIO) -> zipfile.ZipFile:
    """Open an archive whose directory has at most MAX_ENTRIES entries.

    Raises:
        InputError: more entries than that; told before any of them is parsed.
        zipfile.BadZipFile: damaged.
    """
    if count_entries(stream) > limits.MAX_ENTRIES:
        raise InputError(
            f"The archive has more than {limits.MAX_ENTRIES:,} entries.", "Split it into several."
        )
    stream.seek(0)
    return zipfile.ZipFile(stream)


def count_entries(stream: BinaryIO) -> int:
    """How many entries the directory may hold at most: the counts in headers can lie."""
    end_of_file = stream.seek(0, 2)
    tail_bytes = min(end_of_file, _END.size + _MAX_COMMENT_BYTES + _END64.size + _LOCATOR_BYTES)
    stream.seek(end_of_file - tail_bytes)
    tail = stream.read(tail_bytes)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise zipfile.BadZipFile("it has no directory: its end is missing")
    *_, count, directory_bytes, _, _ = _END.unpack_from(tail, at)
    at64 = at - _LOCATOR_BYTES - _END64.size
    if at64 >= 0 and tail.startswith(b"PK\x06\x06", at64):
        *_, count, directory_bytes, _ = _END64.unpack_from(tail, at64)
    if directory_bytes > limits.MAX_DIRECTORY_BYTES:
        return max(count, limits.MAX_ENTRIES + 1)
    if count > limits.MAX_ENTRIES or directory_bytes < limits.MAX_ENTRIES * _MIN_ENTRY_BYTES:
        return max(count, directory_bytes // _MIN_ENTRY_BYTES)
    stream.seek(max(0, end_of_file - tail_bytes - directory_bytes))
    return _count_signatures(stream)


def _count_signatures(stream: BinaryIO) -> int:
    count, rest = 0, b""
    while chunk := stream.read(limits.MIB):
        chunk = rest + chunk
        count += chunk.count(b"PK\x01\x02")
        rest = chunk[-3:]
    return count


def walk_zip(
    archive: zipfile.ZipFile, budget: Budget, *, packed_bytes: int
) -> Iterator[Entry | Refusal]:
    """The pictures in an archive, in its own order, and its refused members.

    Raises:
        InputError: the archive as a whole unpacks to too much.
    """
    unpacked_bytes = 0
    for member in archive.infolist():
        if member.is_dir() or is_clutter(member.filename):
            continue
        try:
            file = relative_file(member.filename)
            content = _read_member(archive, member)
        except InputError as error:
            yield Refusal(showable(member.filename), str(error))
            continue
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            yield Refusal(showable(member.filename), f"Damaged in the archive ({error}).")
            continue
        unpacked_bytes += len(content)
        check_ratio(unpacked_bytes, packed_bytes)
        budget.spend(len(content))
        yield Entry(file, content)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise InputError("A link or device in an archive.", "Pack the picture itself.")
    if member.flag_bits & _ENCRYPTED:
        raise InputError("Encrypted.", "Unpack the archive with its password first.")
    if member.compress_type not in _METHODS:
        raise InputError("Packed by an uncommon method.", "Pack it anew as an ordinary zip.")
    with archive.open(member) as stream:
        head = stream.read(HEAD_BYTES)
    check_bytes(len(head))
    check_kind(head)
    with archive.open(member) as stream:
        return read_capped(stream, packed_bytes=member.compress_size)
