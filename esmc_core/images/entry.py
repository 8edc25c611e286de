"""What folders, archives and uploads hand over: entries, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from esmc_core.errors import InputError
from esmc_core.images import limits
from esmc_core.images.collection import showable

_CLUTTER = ("__macosx", "thumbs.db", "desktop.ini")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A file that may be a picture.

    Attributes:
        file: POSIX path under the collection's root, fit to be shown.
        content: the bytes, to be copied; or the path or URL of a file that stays where it is.
    """

    file: str
    content: bytes | Path | str


class Readable(Protocol):
    """Anything that bytes can be read from."""

    def read(self, n_bytes: int, /) -> bytes: ...


def is_clutter(name: str) -> bool:
    """Hidden files and what operating systems leave behind; skipped without a word."""
    parts = _parts(name)
    return any(part.startswith(".") or part.lower() in _CLUTTER for part in parts if part != "..")


def relative_file(name: str) -> str:
    """`name` from an archive or a browser as a plain relative path; InputError if it is none."""
    if name.startswith(("/", "\\")) or ".." in _parts(name) or name[1:3] in (":/", ":\\"):
        raise InputError("Its path leads outside the archive.", "Pack the pictures anew.")
    file = "/".join(_parts(name))
    if not file:
        raise InputError("It has no name.", "Pack the pictures anew.")
    return showable(file)


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


class Budget:
    """The bytes that one upload may unpack to.

    Args:
        free_bytes: free space of the disk that takes the copies.
    """

    def __init__(self, free_bytes: int) -> None:
        self.left_bytes = min(limits.MAX_TOTAL_BYTES, int(free_bytes * limits.MAX_DISK_SHARE))
        self._total_bytes = self.left_bytes

    def spend(self, n_bytes: int) -> None:
        """Raise InputError when the upload is larger than the disk or the limit allows."""
        self.left_bytes -= n_bytes
        if self.left_bytes < 0:
            limit = self._total_bytes / limits.GIB
            raise InputError(
                f"The pictures take more than {limit:.1f} GiB when copied.",
                "Free some disk space, or add fewer at a time.",
            )


def check_ratio(unpacked_bytes: int, packed_bytes: int) -> None:
    """Raise InputError for an archive that unpacks out of all proportion."""
    if unpacked_bytes > max(limits.RATIO_FLOOR_BYTES, limits.MAX_RATIO * packed_bytes):
        raise InputError(
            f"The archive unpacks to more than {limits.MAX_RATIO} times its size.",
            "Such archives are refused; add the pictures as files.",
        )


def read_capped(stream: Readable, *, packed_bytes: int | None = None) -> bytes:
    """The rest of `stream`, whatever its header says about its size.

    Args:
        packed_bytes: its size in the archive, if known.

    Raises:
        InputError: more than MAX_FILE_BYTES, or more than MAX_RATIO times what was packed.
    """
    limit = limits.MAX_FILE_BYTES
    if packed_bytes is not None:
        limit = min(limit, max(limits.RATIO_FLOOR_BYTES, limits.MAX_RATIO * packed_bytes))
    chunks = []
    left = limit + 1
    while left > 0 and (chunk := stream.read(min(left, _CHUNK_BYTES))):
        chunks.append(chunk)
        left -= len(chunk)
    if left <= 0:
        size = limit // limits.MIB
        raise InputError(
            f"It unpacks to more than {size} MiB, out of proportion.", "Make the picture smaller."
        )
    return b"".join(chunks)
