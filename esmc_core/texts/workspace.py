"""Everything about texts under one home folder; what the pages and the command line share."""

from __future__ import annotations

from dataclasses import asdict

from esmc_core.config import Config
from esmc_core.errors import StoreError
from esmc_core.records import key_of, read_json, write_json
from esmc_core.texts.answers import AnswerStore
from esmc_core.texts.collection import TextCollection
from esmc_core.texts.embeddings import EmbeddingCache
from esmc_core.texts.library import TextLibrary
from esmc_core.texts.study import Study, StudySettings

_RECORD = "study.json"


class TextWorkspace:
    """Collections, embeddings, answers, and the studies made of them.

    Attributes:
        library: the collections.
        embeddings: by content and model.
        answers: by question and judge, whatever study asked.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config.from_env()
        self.library = TextLibrary(self.config.home)
        self.embeddings = EmbeddingCache(self.config.home)
        self.answers = AnswerStore(self.config.home / "answers.sqlite3")

    def study(self, collection: TextCollection, settings: StudySettings) -> Study:
        """Begin a study of a collection in the library, or go on with it.

        Raises:
            InputError: the collection is not in the library, or the perspective is empty.
        """
        self.library.load(collection.key)
        key = key_of(collection=collection.key, settings=settings)
        folder = self.library.folder(collection.key) / "studies" / key
        study = Study(
            folder, collection, settings, embeddings=self.embeddings, answers=self.answers
        )
        if not (folder / _RECORD).exists():
            write_json(folder / _RECORD, {"settings": asdict(settings)})
        return study

    def open_study(self, collection: TextCollection, key: str) -> Study:
        """Reopen a study; raise StoreError if it is missing or damaged."""
        if not key.isalnum():
            raise StoreError(f"“{key}” is no key.", "Choose from the library.")
        folder = self.library.folder(collection.key) / "studies" / key
        try:
            settings = StudySettings(**read_json(folder / _RECORD)["settings"])
        except (KeyError, TypeError) as error:
            raise StoreError(
                f"The study {folder} cannot be read ({error}).", "Delete it."
            ) from error
        return self.study(collection, settings)

    def list_studies(self, collection: TextCollection) -> list[Study]:
        """The studies of a collection, the last begun first; damaged ones are left out."""
        found = []
        for path in (self.library.folder(collection.key) / "studies").glob(f"*/{_RECORD}"):
            try:
                study = self.open_study(collection, path.parent.name)
                found.append((path.stat().st_mtime, study))
            except (StoreError, OSError):
                continue
        return [study for _, study in sorted(found, key=lambda pair: -pair[0])]

    def close(self) -> None:
        """Let go of the answers' file."""
        self.answers.close()
