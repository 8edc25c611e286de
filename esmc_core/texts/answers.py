"""Judges' answers in SQLite: each on disk as soon as it is there, none asked or paid twice.

A question is **claimed** on disk before it is sent. So a process that dies, or a second one that
asks at the same time, never sends it again: at most once, even where nobody can tell whether the
judge had answered when the process died. Such a question is *interrupted*; it is left out and
counted until the user has it asked again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from esmc_core.errors import StoreError
from esmc_core.texts.questions import Question, TripletQuestion

PERSON = "person"
State = Literal["claimed", "answered", "dropped"]
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    question TEXT NOT NULL,        -- key of the texts and the perspective; no text stands here
    judge TEXT NOT NULL,           -- who, without any key or password
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    choice INTEGER,                -- in the order that the key has; NULL while claimed
    is_sure INTEGER NOT NULL DEFAULT 1,
    reason TEXT NOT NULL DEFAULT '',
    requests INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    run TEXT NOT NULL DEFAULT '',
    changed REAL NOT NULL,         -- seconds since 1970
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    UNIQUE (question, judge)
)
"""
UNUSABLE = ("nonsense", "no answer")
"""Reasons to drop a question that has no answer of the judge's."""
_SWAPPED = {1: 2, 2: 1}
_IN_ONE_QUERY = 500


@dataclass(frozen=True)
class Answer:
    """What a judge said to a question.

    Attributes:
        state: "claimed" (sent, no answer yet), "answered", or "dropped".
        choice: triplets 1 or 2, pairs 1 (yes) or 0 (no); None where there is none.
        is_sure: False where the judge talked around it.
        reason: why it was dropped: "neither", "skipped", "nonsense" or "no answer".
        requests: how many times it was sent.
        prompt_tokens, completion_tokens: paid for, over all requests.
    """

    state: State
    choice: int | None = None
    is_sure: bool = True
    reason: str = ""
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class AnswerStore:
    """All answers under one home folder, by question and judge; for any number of threads.

    Args:
        path: the SQLite file; made when first needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def claim(self, question: Question, judge: str, *, run: str) -> bool:
        """Say on disk that the question is about to be sent; False if it has been before."""
        with self._write() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO answers (question, judge, kind, state, run, changed) "
                "VALUES (?, ?, ?, 'claimed', ?, ?)",
                (question.key, judge, question.kind, run, time.time()),
            )
            return done.rowcount == 1

    def save(self, question: Question, judge: str, answer: Answer) -> None:
        """Put an answer on disk, in place of an earlier one of the same judge."""
        choice = _as_kept(question, answer.choice)
        values = (answer.state, choice, answer.is_sure, answer.reason, answer.requests)
        tokens = (answer.prompt_tokens, answer.completion_tokens)
        with self._write() as connection:
            # Anew, not updated: the latest answer has the highest number, which undoing goes by.
            connection.execute(
                "DELETE FROM answers WHERE question = ? AND judge = ?", (question.key, judge)
            )
            connection.execute(
                "INSERT INTO answers (question, judge, kind, state, choice, is_sure, reason, "
                "requests, prompt_tokens, completion_tokens, changed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (question.key, judge, question.kind, *values, *tokens, time.time()),
            )

    def release(self, question: Question, judge: str) -> None:
        """Take back a claim: the judge has surely not answered, so it may be asked again."""
        with self._write() as connection:
            connection.execute(
                "DELETE FROM answers WHERE question = ? AND judge = ? AND state = 'claimed'",
                (question.key, judge),
            )

    def release_unusable(self, questions: Sequence[Question], judge: str, *, run: str = "") -> int:
        """Let questions be asked again, at the user's word, as they may have been paid for.

        Those that a run was at when it was interrupted, and those whose answer says nothing or
        never came.

        Args:
            run: the run that is under way, whose claims stay.

        Returns:
            How many.
        """
        released = 0
        with self._write() as connection:
            for keys in _batches([question.key for question in questions]):
                done = connection.execute(
                    "DELETE FROM answers WHERE judge = ? AND (state = 'claimed' AND run != ? "
                    f"OR reason IN ({_marks(UNUSABLE)})) AND question IN ({_marks(keys)})",
                    (judge, run, *UNUSABLE, *keys),
                )
                released += done.rowcount
        return released

    def find(self, questions: Sequence[Question], judge: str) -> list[Answer | None]:
        """(n_questions,) the judge's answers, claims included; None where it was not asked."""
        found: dict[str, Answer] = {}
        with self._read() as connection:
            for keys in _batches([question.key for question in questions]):
                rows = connection.execute(
                    "SELECT question, state, choice, is_sure, reason, requests, prompt_tokens, "
                    f"completion_tokens FROM answers WHERE judge = ? AND question IN "
                    f"({_marks(keys)})",
                    (judge, *keys),
                )
                for key, state, choice, is_sure, *rest in rows:
                    found[key] = Answer(state, choice, bool(is_sure), *rest)
        return [_as_asked(question, found.get(question.key)) for question in questions]

    def undo(self, questions: Sequence[Question], judge: str = PERSON) -> Question | None:
        """Forget the judge's latest answer to one of the questions; returns that question."""
        asked = {question.key: question for question in questions}
        with self._write() as connection:
            rows = connection.execute(
                "SELECT question FROM answers WHERE judge = ? AND state != 'claimed' "
                "ORDER BY number DESC",
                (judge,),
            )
            latest = next((key for (key,) in rows if key in asked), None)
            if latest is None:
                return None
            connection.execute(
                "DELETE FROM answers WHERE question = ? AND judge = ?", (latest, judge)
            )
        return asked[latest]

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._guarded():
            connection = self._open()
            with connection:  # commits, or rolls back
                yield connection

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._guarded():
            yield self._open()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, _VERSION):
                    raise StoreError(
                        f"{self.path} is of version {version}, not {_VERSION}.",
                        "Move it away, or update the app.",
                    )
                with connection:
                    connection.execute(_SCHEMA)
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"The answers {self.path} cannot be used ({error}).",
                "Check the disk; move the file away if it is damaged.",
            ) from error


def merged(answers: Iterable[Answer | None], checked: Iterable[Answer | None]) -> list[Answer]:
    """A judge's answers, with a person's in their place where the person gave one.

    A question without any is "claimed", as one that is under way.
    """
    return [
        second if second is not None else first or Answer("claimed")
        for first, second in zip(answers, checked, strict=True)
    ]


def _as_kept(question: Question, choice: int | None) -> int | None:
    """A choice in the order of the key, so that the other order of a triplet is the same."""
    if choice is not None and isinstance(question, TripletQuestion) and question.is_swapped:
        return _SWAPPED.get(choice, choice)
    return choice


def _as_asked(question: Question, answer: Answer | None) -> Answer | None:
    if answer is None or answer.choice is None:
        return answer
    return replace(answer, choice=_as_kept(question, answer.choice))


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _IN_ONE_QUERY):
        yield keys[start : start + _IN_ONE_QUERY]


def _marks(keys: Sequence[str]) -> str:
    return ", ".join("?" * len(keys))
