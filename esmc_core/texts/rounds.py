"""Rounds of tuning on disk: what came of each, and the embedder that it made."""

from __future__ import annotations

import dataclasses
import io
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from esmc_core.errors import InputError, StoreError
from esmc_core.records import key_of, read_json, write_bytes, write_json
from esmc_core.texts.embedder import Embedder, load_embedder
from esmc_core.texts.preferences import Preferences, joined
from esmc_core.texts.tuning import Tuned, TuneSettings, TuningReport

UNTUNED = ""
_RECORD, _ADAPTER, _ANSWERS, _MODEL = "round.json", "adapter.npy", "answers.npy", "model"


@dataclass(frozen=True)
class Round:
    """One attempt to bend the embedder.

    Attributes:
        key: of what it was made from.
        base: key of the round before it, whose triplets were asked; UNTUNED for none.
        judge: whose answers taught it.
        method: "adapter" or "full".
        fingerprint: of the tuned embedder.
        report: how the held-out answers took it.
        created: ISO time.
        start: key of the round whose embedder was bent: an adapter takes the place of the adapters
            before it; None for `base`.
    """

    key: str
    base: str
    judge: str
    method: str
    fingerprint: str
    report: TuningReport
    created: str
    start: str | None = None

    @property
    def bent(self) -> str:
        """Key of the round whose embedder was bent."""
        return self.base if self.start is None else self.start


class Rounds:
    """The rounds of one study, each in a folder by its key.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def list(self) -> list[Round]:
        """The oldest first; damaged ones are left out."""
        found = []
        for path in self.folder.glob(f"*/{_RECORD}"):
            try:
                found.append(self.get(path.parent.name))
            except (StoreError, InputError):
                continue
        return sorted(found, key=lambda made: (made.created, made.key))

    def get(self, key: str) -> Round:
        """Raise InputError if there is none of that key, StoreError if it is damaged."""
        if not key.isalnum() or not (self.folder / key).is_dir():
            raise InputError(f"There is no round {key!r}.", "Tune again.")
        record = read_json(self.folder / key / _RECORD)
        try:
            report = TuningReport(**{**record.pop("report")})
            report = dataclasses.replace(report, curve=tuple(report.curve))
            return Round(**record, report=report)
        except (KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"The round {self.folder / key} cannot be read ({error}).", "Tune again."
            ) from error

    def add(
        self,
        tuned: Tuned,
        *,
        base: str,
        judge: str,
        settings: TuneSettings,
        start: str | None = None,
    ) -> Round:
        """Keep what tuning gave, whether the held-out answers like it or not."""
        fingerprint = tuned.embedder.fingerprint
        key = key_of(base=base, judge=judge, settings=settings, fingerprint=fingerprint)
        created = datetime.now(UTC).isoformat(timespec="microseconds")
        made = Round(key, base, judge, settings.method, fingerprint, tuned.report, created, start)
        folder = self.folder / key
        if tuned.answers is not None:
            write_bytes(folder / _ANSWERS, _npy(tuned.answers.table))
        if tuned.adapter is not None:
            write_bytes(folder / _ADAPTER, _npy(tuned.adapter))
        else:
            shutil.rmtree(folder / _MODEL, ignore_errors=True)
            tuned.embedder.save(folder / _MODEL)
        write_json(folder / _RECORD, made)
        return made

    def embedder(self, key: str, untuned: Embedder) -> Embedder:
        """The embedder after a round; `untuned` for UNTUNED.

        Raises:
            StoreError: its files are gone, or are of another embedder.
        """
        if key == UNTUNED:
            return untuned
        made = self.get(key)
        if made.method == "full":
            found = load_embedder(
                str(self.folder / key / _MODEL),
                prompt=untuned.prompt,
                device=str(untuned.model.device),
            )
        else:
            from esmc_core.texts.adapter import with_adapter

            base = self.embedder(made.bent, untuned)
            matrix = self._array(key, _ADAPTER)
            found = Embedder(with_adapter(base.model, matrix), name="", prompt=base.prompt)
        found.name = untuned.name
        if found.fingerprint != made.fingerprint:
            raise StoreError(
                f"The round {self.folder / key} has been changed, or belongs to another embedder.",
                "Tune again.",
            )
        return found

    def adapted(self, key: str) -> str:
        """The round whose embedder the adapter of a round stands behind; itself for another."""
        while key != UNTUNED and self.get(key).method == "adapter":
            key = self.get(key).bent
        return key

    def answers(self, key: str) -> Preferences:
        """All that the round was taught by; none for UNTUNED."""
        if key == UNTUNED or not (self.folder / key / _ANSWERS).exists():
            return joined([])
        return Preferences.of(self._array(key, _ANSWERS))

    def delete(self, key: str) -> None:
        """Forget a round; raise InputError if others started from it."""
        if any(made.base == key for made in self.list()):
            raise InputError("A later round started from this one.", "Delete that one first.")
        self.get(key)
        shutil.rmtree(self.folder / key)

    def _array(self, key: str, name: str) -> np.ndarray:
        try:
            return np.load(self.folder / key / name, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(
                f"The round {self.folder / key} cannot be read ({error}).", "Tune again."
            ) from error


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()
