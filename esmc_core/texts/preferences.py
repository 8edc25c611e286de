"""What the answers to triplets teach: of each query, which text is nearer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from esmc_core.texts.answers import Answer
from esmc_core.texts.triplets import Triplet, margins


@dataclass(frozen=True, eq=False)
class Preferences:
    """Answered triplets; int64 numbers of texts.

    Attributes:
        query, preferred, rejected: (n,) each; the query corresponds better with the preferred text.
        undecided: (m, 3) query and choices where the answer was “neither”.
    """

    query: np.ndarray
    preferred: np.ndarray
    rejected: np.ndarray
    undecided: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.query)

    def __add__(self, other: Preferences) -> Preferences:
        return joined([self, other])

    def take(self, rows: np.ndarray) -> Preferences:
        """Some of the decided ones, with the undecided ones of all queries but the others'."""
        some = Preferences(self.query[rows], self.preferred[rows], self.rejected[rows])
        others = np.setdiff1d(self.query, some.query)
        return replace(some, undecided=self.undecided[~np.isin(self.undecided[:, 0], others)])

    @property
    def table(self) -> np.ndarray:
        """(n + m, 4) int64: query, preferred, rejected, 1; then query, choices, 0."""
        decided = np.stack([self.query, self.preferred, self.rejected], axis=1)
        marks = np.repeat([1, 0], [len(decided), len(self.undecided)])
        return np.column_stack([np.concatenate([decided, self.undecided]), marks])

    @classmethod
    def of(cls, table: np.ndarray) -> Preferences:
        """From what `table` gave."""
        is_decided = table[:, 3] == 1
        query, preferred, rejected = table[is_decided, :3].T
        return cls(query, preferred, rejected, table[~is_decided, :3])

    def right(self, embeddings: np.ndarray) -> np.ndarray:
        """(n,) 1 where the embedding puts the preferred text nearer, 0 where not, ½ for a tie."""
        triplets = [
            Triplet(int(q), int(p), int(r))
            for q, p, r in zip(self.query, self.preferred, self.rejected, strict=True)
        ]
        return (np.sign(margins(embeddings, triplets)) + 1) / 2

    def right_in(self, labels: np.ndarray) -> np.ndarray:
        """(n,) 1 where the query shares a cluster with the preferred text alone, 0 where with the
        rejected one alone, ½ where with both or neither.

        Args:
            labels: (n_texts,) int.
        """
        with_preferred = labels[self.query] == labels[self.preferred]
        with_rejected = labels[self.query] == labels[self.rejected]
        return (1.0 + with_preferred - with_rejected) / 2


def preferences(triplets: Sequence[Triplet], answers: Sequence[Answer | None]) -> Preferences:
    """Of the triplets that were answered with a choice or with “neither”."""
    rows = []
    for triplet, answer in zip(triplets, answers, strict=True):
        if answer is None or (answer.state != "answered" and answer.reason != "neither"):
            continue
        choices = triplet.choice1, triplet.choice2
        is_decided = answer.state == "answered"
        ordered = choices[::-1] if is_decided and answer.choice != 1 else choices
        rows.append((triplet.query, *ordered, int(is_decided)))
    return Preferences.of(np.array(rows, dtype=np.int64).reshape(-1, 4))


def joined(parts: Sequence[Preferences]) -> Preferences:
    """Of several rounds together."""
    if not parts:
        return preferences([], [])
    return Preferences.of(np.concatenate([part.table for part in parts]))


def folds(data: Preferences, n_folds: int, *, seed: int = 0) -> np.ndarray:
    """(n,) int64 the fold of each, of about the same size; one query is in one fold only."""
    queries, own = np.unique(data.query, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(queries))
    return (order % n_folds)[own].astype(np.int64)
