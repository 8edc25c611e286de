"""All collections under one home folder: reading pictures in, and finding them again."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from esmc_core.errors import InputError, StoreError
from esmc_core.images import collection_files
from esmc_core.images.archive import archive_kind
from esmc_core.images.collection import (
    Collection,
    CollectionSummary,
    Picture,
    Refusal,
    collection_key,
    showable,
    split_duplicates,
)
from esmc_core.images.entry import Budget, Entry
from esmc_core.images.folder import walk_folder
from esmc_core.images.intake import Intake, Progress, ShouldStop
from esmc_core.images.picture_file import open_picture, read_file
from esmc_core.images.signature import FORMATS_IN_WORDS
from esmc_core.images.upload import Upload, count_uploads, walk_uploads, without_clutter

Summaries = list[CollectionSummary]

_STALE_S = 24 * 3600
_ARCHIVE_SUFFIX = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz)$", re.IGNORECASE)

_changing = threading.Lock()
"""Held while collections are written or deleted, so that no shared file is lost in between."""


class Library:
    """The collections under `home`.

    Args:
        home: folder that holds all state; made when first needed.
    """

    def __init__(self, home: Path) -> None:
        self.home = Path(home)

    def read_folder(
        self,
        folder: Path,
        *,
        name: str | None = None,
        progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Collection:
        """Read the pictures under `folder` where they lie, or copy those of an archive file.

        The same content gives the same key: it is reopened, under the name it has.

        Args:
            name: of a new collection; the folder's name by default.
            progress: called with the number of files done and the total, None if unknown.
            should_stop: asked between files.

        Raises:
            InputError: missing, empty, or nothing in it can be read.
            Cancelled: `should_stop` said so.
        """
        root = Path(folder).resolve()
        name = name or _ARCHIVE_SUFFIX.sub("", _ARCHIVE_SUFFIX.sub("", root.name)) or str(root)
        if root.is_file():
            return self._read_archive(root, name, progress, should_stop)
        if not root.is_dir():
            raise InputError(f"There is no folder {showable(str(folder))}.", "Check the path.")
        entries = list(walk_folder(root, skip=self.home.resolve()))
        with self._intake(progress, should_stop) as intake:
            intake.total = len(entries)
            return self._take_in(intake, entries, name, str(root))

    def read_uploads(
        self,
        files: Iterable[Upload],
        *,
        name: str,
        progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
        source: str = "upload",
    ) -> Collection:
        """Copy uploaded pictures, and those in uploaded archives, under the home folder.

        Args:
            files: name or relative path, and bytes or a seekable stream.
            name: of a new collection.
            source: shown as where the pictures came from.

        Raises:
            InputError: nothing can be read, or too much was given.
            Cancelled: `should_stop` said so; nothing is kept but thumbnails.
        """
        uploads = without_clutter(list(files))
        self.home.mkdir(parents=True, exist_ok=True)
        budget = Budget(shutil.disk_usage(self.home).free)
        with self._intake(progress, should_stop) as intake:
            intake.total = count_uploads(uploads)
            return self._take_in(intake, walk_uploads(uploads, budget), name, source)

    def load(self, key: str) -> Collection:
        """Reopen a collection; raise InputError if there is none, StoreError if it is damaged."""
        return collection_files.read_collection(self._existing(key))

    def rename(self, key: str, name: str) -> None:
        """Give a collection another name."""
        cleaned = showable(name).strip()
        if not cleaned:
            raise InputError("A collection needs a name.", "Type one.")
        with _changing:
            collection_files.write_name(self._existing(key), cleaned)

    def delete(self, key: str) -> None:
        """Delete a collection, its passes and clusterings, and what no other one uses."""
        with _changing:
            folder = self._existing(key)
            gone = folder.with_name(f".deleted-{key}")
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)
            self._delete_unused(gone)
            shutil.rmtree(gone)

    def folder(self, key: str) -> Path:
        """Where a collection keeps its records, passes and clusterings."""
        if not re.fullmatch(r"[0-9a-f]{16}", key):
            raise InputError(f"“{showable(key)}” is no collection.", "Choose one from the list.")
        return self.home / "collections" / key

    def open(self, picture: Picture) -> Image.Image:
        """The whole picture, RGB and upright; raise InputError if it vanished or changed."""
        return open_picture(self.original_bytes(picture))

    def original_bytes(self, picture: Picture) -> bytes:
        """The file as it was read in; raise InputError if it vanished or changed."""
        by_path = bool(picture.location)
        path = Path(picture.location) if by_path else self._original_path(picture.digest)
        try:
            data = read_file(path)
        except InputError as error:
            raise InputError(
                f"{picture.file} is no longer at {showable(str(path))}. {error.message}",
                "Put it back, or add the pictures again.",
            ) from error
        if hashlib.sha256(data).hexdigest() != picture.digest:
            raise InputError(
                f"{picture.file} has changed since it was read.", "Add the pictures again."
            )
        return data

    def thumbnail_path(self, digest: str) -> Path:
        """The WebP thumbnail of a picture, 128 pixels on its longest side."""
        return self._by_digest("thumbnails", digest).with_suffix(".webp")

    def list(self) -> Summaries:
        """All collections, the newest first."""
        folders = (self.home / "collections").glob("[0-9a-f]" * 16)
        summaries = (collection_files.read_summary(folder) for folder in folders)
        return sorted(summaries, key=lambda summary: (summary.created, summary.key), reverse=True)

    def _read_archive(
        self, path: Path, name: str, progress: Progress | None, should_stop: ShouldStop | None
    ) -> Collection:
        try:
            with path.open("rb") as stream:
                if not archive_kind(stream):
                    raise InputError(
                        f"{showable(str(path))} is neither a folder nor a zip or tar archive.",
                        "Give the folder that the pictures are in.",
                    )
                return self.read_uploads(
                    [(path.name.lstrip("."), stream)],
                    name=name,
                    progress=progress,
                    should_stop=should_stop,
                    source=str(path),
                )
        except PermissionError as error:
            raise InputError(
                f"{showable(str(path))} may not be read.", "Check its permissions."
            ) from error

    @contextmanager
    def _intake(
        self, progress: Progress | None, should_stop: ShouldStop | None
    ) -> Iterator[Intake]:
        """An intake whose copies lie aside until the collection is written."""
        incoming = self.home / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        for folder in incoming.iterdir():
            if time.time() - folder.stat().st_mtime > _STALE_S:
                shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=incoming) as copies:
            yield Intake(
                self.thumbnail_path, Path(copies), progress=progress, should_stop=should_stop
            )

    def _take_in(
        self, intake: Intake, entries: Iterable[Entry | Refusal], name: str, source: str
    ) -> Collection:
        try:
            intake.run(entries)
        except OSError as error:
            raise StoreError(
                f"The pictures cannot be stored under {self.home} ({error.strerror}).",
                "Free some disk space or check the permissions.",
            ) from error
        pictures, duplicates = split_duplicates(intake.pictures)
        refusals = tuple(sorted(intake.refusals, key=lambda refusal: refusal.file))
        if not pictures:
            raise _nothing_read(showable(source), refusals)
        collection = Collection(
            key=collection_key(pictures),
            name=showable(name).strip() or "Pictures",
            source=showable(source),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            pictures=pictures,
            refusals=refusals,
            duplicates=duplicates,
        )
        with _changing:
            return self._save(collection, intake.copies)

    def _save(self, collection: Collection, copies: Path) -> Collection:
        for picture in collection.pictures:
            if not picture.location:
                original = self._original_path(picture.digest)
                original.parent.mkdir(parents=True, exist_ok=True)
                (copies / picture.digest).replace(original)
        folder = self.folder(collection.key)
        if (folder / collection_files.RECORD).exists():
            collection = self._reopened(collection, collection_files.read_collection(folder))
        collection_files.write_collection(folder, collection)
        return collection

    def _reopened(self, read: Collection, stored: Collection) -> Collection:
        """`read` under the name that it has; a copy under the home folder stays in use."""
        copied = {picture.digest for picture in stored.pictures if not picture.location}
        pictures = tuple(
            replace(picture, location="") if picture.digest in copied else picture
            for picture in read.pictures
        )
        return replace(read, name=stored.name, created=stored.created, pictures=pictures)

    def _delete_unused(self, gone: Path) -> None:
        try:
            pictures = list(collection_files.read_pictures(gone))
            thumbnails = {picture.digest for picture in pictures}
            originals = {picture.digest for picture in pictures if not picture.location}
            for other in (self.home / "collections").glob("[0-9a-f]" * 16):
                for picture in collection_files.read_pictures(other):
                    thumbnails.discard(picture.digest)
                    if not picture.location:
                        originals.discard(picture.digest)
        except StoreError:
            return  # nobody can tell what a damaged collection uses
        for digest in thumbnails:
            self.thumbnail_path(digest).unlink(missing_ok=True)
        for digest in originals:
            self._original_path(digest).unlink(missing_ok=True)

    def _existing(self, key: str) -> Path:
        folder = self.folder(key)
        if not folder.is_dir():
            raise InputError(f"There is no collection {key}.", "Choose one from the list.")
        return folder

    def _original_path(self, digest: str) -> Path:
        return self._by_digest("originals", digest)

    def _by_digest(self, shelf: str, digest: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise InputError(f"“{showable(digest)}” is no picture.", "Choose one from the list.")
        return self.home / shelf / digest[:2] / digest


def _nothing_read(source: str, refusals: tuple[Refusal, ...]) -> InputError:
    if not refusals:
        return InputError(f"There are no pictures in {source}.", f"{FORMATS_IN_WORDS} are read.")
    reasons = "; ".join(f"{refusal.file}: {refusal.reason}" for refusal in refusals[:3])
    more = "; …" if len(refusals) > 3 else ""
    return InputError(
        f"None of the {len(refusals)} files in {source} can be read.", f"{reasons}{more}"
    )
