"""Taking entries in: hash, decode once, thumbnail, copy; on a few threads, in bounded memory."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from esmc_core.errors import Cancelled, InputError
from esmc_core.images import limits
from esmc_core.images.collection import Picture, Refusal
from esmc_core.images.entry import Entry
from esmc_core.images.picture_file import decode, open_header, upright_size
from esmc_core.images.remote import read_place
from esmc_core.images.thumbnail import LONGEST_SIDE, write_thumbnail
from esmc_core.records import write_bytes

Progress = Callable[[int, int | None], None]
ShouldStop = Callable[[], bool]

_large_picture = threading.Lock()


@dataclass
class Intake:
    """One run over the entries of a folder or an upload.

    Args:
        thumbnail_path: where the thumbnail of a digest belongs.
        copies: folder that takes the bytes of entries that have no path, named by digest.
        total: number of entries, if known.
    """

    thumbnail_path: Callable[[str], Path]
    copies: Path
    total: int | None = None
    progress: Progress | None = None
    should_stop: ShouldStop | None = None
    pictures: list[Picture] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    _pending: deque[tuple[Future[Picture | Refusal], int]] = field(default_factory=deque)
    _files: dict[str, int] = field(default_factory=dict)
    _done: int = 0

    def run(self, entries: Iterable[Entry | Refusal]) -> None:
        """Fill `pictures` and `refusals`; raise Cancelled when asked to stop."""
        workers = min(8, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers, "intake") as pool:
            try:
                for entry in entries:
                    self.check_stop()
                    if isinstance(entry, Refusal):
                        self.settle(entry)
                        continue
                    named = self.name(entry)
                    waiting = len(entry.content) if isinstance(entry.content, bytes) else 0
                    self._pending.append((pool.submit(self.examine, named), waiting))
                    self._drain(2 * workers)
                self._drain(0)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _drain(self, most: int) -> None:
        """Wait until few enough entries, of few enough bytes, are pending."""
        waiting_bytes = sum(n_bytes for _, n_bytes in self._pending)
        while len(self._pending) > most or waiting_bytes > limits.MAX_PENDING_BYTES:
            future, n_bytes = self._pending.popleft()
            waiting_bytes -= n_bytes
            self.settle(future.result())
            self.check_stop()

    def settle(self, result: Picture | Refusal) -> None:
        """Take what became of one entry."""
        if isinstance(result, Picture):
            self.pictures.append(result)
        else:
            self.refusals.append(result)
        self._done += 1
        if self.progress is not None:
            self.progress(self._done, self.total)

    def check_stop(self) -> None:
        """Raise Cancelled when asked to stop."""
        if self.should_stop is not None and self.should_stop():
            raise Cancelled()

    def name(self, entry: Entry) -> Entry:
        """The entry under a name that no earlier one has."""
        return Entry(self._unique(entry.file), entry.content)

    def _unique(self, file: str) -> str:
        """`file`, numbered where an earlier entry has the same name."""
        path = PurePosixPath(file)
        unique = file
        while unique in self._files:
            self._files[file] += 1
            unique = str(path.with_name(f"{path.stem} ({self._files[file]}){path.suffix}"))
        self._files[unique] = 1
        return unique

    def examine(self, entry: Entry) -> Picture | Refusal:
        """Read one entry, make its thumbnail, and copy its bytes if it has no place of its own."""
        content = entry.content
        try:
            data = content if isinstance(content, bytes) else read_place(content)
            digest = hashlib.sha256(data).hexdigest()
            width, height = self._check_picture(data, self.thumbnail_path(digest))
        except InputError as error:
            return Refusal(entry.file, str(error))
        if isinstance(content, bytes):
            write_bytes(self.copies / digest, data)
        location = "" if isinstance(content, bytes) else str(content)
        return Picture(digest, entry.file, width, height, len(data), location)

    def _check_picture(self, data: bytes, thumbnail: Path) -> tuple[int, int]:
        """Upright width and height; decodes it wholly unless that was done before."""
        header = open_header(data)
        size = upright_size(header)
        if not thumbnail.exists():
            header.draft(None, (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))
            large = header.width * header.height > limits.LARGE_PIXELS
            with _large_picture if large else nullcontext():
                write_thumbnail(thumbnail, decode(header))
        return size
