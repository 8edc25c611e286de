"""All collections under one home folder: reading pictures in, and finding them again."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from esmc_core.errors import InputError, StoreError
from esmc_core.images.archive import archive_kind
from esmc_core.images.collection import (
    Collection,
    Refusal,
    collection_key,
    showable,
    split_duplicates,
)
from esmc_core.images.entry import Budget, Entry
from esmc_core.images.intake import Intake, Progress, ShouldStop
from esmc_core.images.remote import local_path
from esmc_core.images.shelf import Shelf
from esmc_core.images.signature import FORMATS_IN_WORDS
from esmc_core.images.source import Source, find_folder, find_listed, find_remote, is_list
from esmc_core.images.upload import Upload, count_uploads, walk_uploads, without_clutter

_STALE_S = 24 * 3600
_ARCHIVE_SUFFIX = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz)$", re.IGNORECASE)

Run = Callable[[Intake, Sequence[Entry | Refusal]], None]


class Library(Shelf):
    """The collections under a home folder, and reading new ones.

    Args:
        home: folder that holds all state; made when first needed.
    """

    def read_folder(
        self,
        folder: Path,
        *,
        name: str | None = None,
        progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
        run: Run = Intake.run,
    ) -> Collection:
        """Read the pictures under `folder` where they lie, or copy those of an archive file.

        The same content gives the same key: it is reopened, under the name it has.

        Args:
            name: of a new collection; the folder's name by default.
            progress: called with the number of files done and the total, None if unknown.
            should_stop: asked between files.
            run: takes the entries of a folder in; `Intake.run` does it in threads.

        Raises:
            InputError: missing, empty, or nothing in it can be read.
            Cancelled: `should_stop` said so.
        """
        root = existing_path(folder)
        if root.is_file():
            name = name or _ARCHIVE_SUFFIX.sub("", _ARCHIVE_SUFFIX.sub("", root.name))
            return self._read_archive(root, name, progress, should_stop)
        if not root.is_dir():
            raise InputError(f"{showable(str(root))} is a device or pipe.", "Give a folder.")
        source = find_folder(root, skip=self.home.resolve())
        return self._read(source, name, progress, should_stop, run)

    def read_source(
        self,
        place: Path | str,
        *,
        progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
        run: Run = Intake.run,
    ) -> Collection:
        """Read pictures from wherever the user of this machine may read: see `read_folder`.

        Args:
            place: a folder or archive, a URL that fsspec reads, or a .txt file with a path or
                URL a line. Lists and URLs lead anywhere, so the app takes none.
        """
        path = local_path(place)
        if path is None:
            source = find_remote(str(place))
        elif is_list(path) and path.is_file():
            source = find_listed(path.resolve())
        else:
            return self.read_folder(path, progress=progress, should_stop=should_stop, run=run)
        return self._read(source, None, progress, should_stop, run)

    def _read(
        self,
        source: Source,
        name: str | None,
        progress: Progress | None,
        should_stop: ShouldStop | None,
        run: Run,
    ) -> Collection:
        with self._intake(progress, should_stop) as intake:
            intake.total = len(source.entries)
            run(intake, source.entries)
            return self._finish(intake, name or source.name, source.place)

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
        with self._intake(progress, should_stop) as intake:
            budget = Budget(shutil.disk_usage(intake.copies).free)
            intake.total = count_uploads(uploads)
            intake.run(walk_uploads(uploads, budget))
            return self._finish(intake, name, source)

    def _read_archive(
        self, path: Path, name: str, progress: Progress | None, should_stop: ShouldStop | None
    ) -> Collection:
        try:
            stream = path.open("rb")
        except OSError as error:
            raise _unreadable(path, error) from error
        with stream:
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

    @contextmanager
    def _intake(
        self, progress: Progress | None, should_stop: ShouldStop | None
    ) -> Iterator[Intake]:
        """An intake whose copies lie aside until the collection is written."""
        incoming = self.home / "incoming"
        try:
            incoming.mkdir(parents=True, exist_ok=True)
            _remove_stale(incoming)
            with tempfile.TemporaryDirectory(dir=incoming) as copies:
                yield Intake(
                    self.thumbnail_path, Path(copies), progress=progress, should_stop=should_stop
                )
        except OSError as error:
            raise StoreError(
                f"The pictures cannot be stored under {self.home} ({error.strerror or error}).",
                "Free some disk space or check the permissions.",
            ) from error

    def _finish(self, intake: Intake, name: str, source: str) -> Collection:
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
        return self.save(collection, intake.copies)


def existing_path(path: Path) -> Path:
    """The path, resolved; raises InputError where nothing is there or it may not be looked at."""
    try:
        root = Path(path).resolve()
        root.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError, RuntimeError) as error:
        raise InputError(f"There is no folder {showable(str(path))}.", "Check the path.") from error
    except OSError as error:
        raise _unreadable(Path(path), error) from error
    return root


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{showable(str(path))} cannot be opened: {error.strerror}.", "Check its permissions."
    )


def _remove_stale(incoming: Path) -> None:
    """Remove the copies of uploads that were killed."""
    for folder in incoming.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _STALE_S:
                shutil.rmtree(folder, ignore_errors=True)


def _nothing_read(source: str, refusals: tuple[Refusal, ...]) -> InputError:
    if not refusals:
        return InputError(f"There are no pictures in {source}.", f"{FORMATS_IN_WORDS} are read.")
    reasons = "; ".join(f"{refusal.file}: {refusal.reason}" for refusal in refusals[:3])
    more = "; …" if len(refusals) > 3 else ""
    return InputError(
        f"None of the {len(refusals)} files in {source} can be read.", f"{reasons}{more}"
    )
