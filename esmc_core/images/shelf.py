"""What lies under one home folder: collections, copied pictures and thumbnails."""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from esmc_core.errors import InputError, StoreError
from esmc_core.images import collection_files
from esmc_core.images.collection import Collection, CollectionSummary, Picture, showable
from esmc_core.images.picture_file import open_picture
from esmc_core.images.remote import read_place
from esmc_core.images.thumbnail import write_thumbnail

Summaries = list[CollectionSummary]

_KEY_GLOB = "[0-9a-f]" * 16

_changing = threading.Lock()
"""Held while collections are written or deleted, so that no shared file is lost in between."""


class Shelf:
    """The collections under `home`.

    Args:
        home: folder that holds all state; made when first needed.
    """

    def __init__(self, home: Path) -> None:
        self.home = Path(home)

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
            for leftover in folder.parent.glob(".deleted-*"):
                shutil.rmtree(leftover, ignore_errors=True)

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
        place = picture.location or self._original_path(picture.digest)
        try:
            data = read_place(place)
        except InputError as error:
            raise InputError(
                f"{picture.file} is no longer at {showable(str(place))}. {error.message}",
                "Put it back, or add the pictures again.",
            ) from error
        if hashlib.sha256(data).hexdigest() != picture.digest:
            raise InputError(
                f"{picture.file} has changed since it was read.", "Add the pictures again."
            )
        return data

    def thumbnail_path(self, digest: str) -> Path:
        """The WebP thumbnail of a picture, 256 pixels on its longest side."""
        return self._by_digest("thumbnails", digest).with_suffix(".webp")

    def list(self) -> Summaries:
        """All collections, the newest first."""
        folders = (self.home / "collections").glob(_KEY_GLOB)
        summaries = (collection_files.read_summary(folder) for folder in folders)
        return sorted(summaries, key=lambda summary: (summary.created, summary.key), reverse=True)

    def save(self, collection: Collection, copies: Path) -> Collection:
        """Move the copied pictures into place and write the records; returns what is stored.

        Args:
            copies: folder with the bytes of the pictures that have no location, by digest.
        """
        with _changing:
            self._shelve(collection.pictures, copies)
            folder = self.folder(collection.key)
            if (folder / collection_files.RECORD).exists():
                collection = self._reopened(collection, collection_files.read_collection(folder))
            collection_files.write_collection(folder, collection)
        return collection

    def _shelve(self, pictures: Iterable[Picture], copies: Path) -> None:
        for picture in pictures:
            if not picture.location:
                original = self._original_path(picture.digest)
                original.parent.mkdir(parents=True, exist_ok=True)
                (copies / picture.digest).replace(original)
            # It was there when the picture was read; a deletion may have come in between.
            thumbnail = self.thumbnail_path(picture.digest)
            if not thumbnail.exists():
                write_thumbnail(thumbnail, self.open(picture))

    def _reopened(self, read: Collection, stored: Collection) -> Collection:
        """`read` under the name that it has; a copy under the home folder stays in use."""
        copied = {picture.digest for picture in stored.pictures if not picture.location}
        pictures = tuple(
            replace(picture, location="")
            if picture.digest in copied and self._original_path(picture.digest).exists()
            else picture
            for picture in read.pictures
        )
        return replace(read, name=stored.name, created=stored.created, pictures=pictures)

    def _delete_unused(self, gone: Path) -> None:
        try:
            pictures = list(collection_files.read_pictures(gone))
            thumbnails = {picture.digest for picture in pictures}
            originals = {picture.digest for picture in pictures if not picture.location}
            for other in (self.home / "collections").glob(_KEY_GLOB):
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
