"""What the answers to triplets teach: of each query, which text is nearer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from esmc_core.texts.answers import Answer
from esmc_core.texts.triplets import Triplet, margins


@dataclass(frozen=True, eq=False)
class Preferences:
    """Decided triplets; all (n,) int64 numbers of texts.

    Attributes:
        query, preferred, rejected: the query corresponds better with the preferred text.
    """

    query: np.ndarray
    preferred: np.ndarray
    rejected: np.ndarray

    def __len__(self) -> int:
        return len(self.query)

    def take(self, rows: np.ndarray) -> Preferences:
        """Some of them."""
        return Preferences(self.query[rows], self.preferred[rows], self.rejected[rows])

    def right(self, embeddings: np.ndarray) -> np.ndarray:
        """(n,) 1 where the embedding puts the preferred text nearer, 0 where not, ½ for a tie."""
        triplets = [
            Triplet(int(q), int(p), int(r))
            for q, p, r in zip(self.query, self.preferred, self.rejected, strict=True)
        ]
        return (np.sign(margins(embeddings, triplets)) + 1) / 2


def preferences(triplets: Sequence[Triplet], answers: Sequence[Answer | None]) -> Preferences:
    """Of the triplets that were answered with a choice."""
    rows = []
    for triplet, answer in zip(triplets, answers, strict=True):
        if answer is None or answer.state != "answered":
            continue
        choices = triplet.choice1, triplet.choice2
        rows.append((triplet.query, *(choices if answer.choice == 1 else choices[::-1])))
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Preferences(*table.T)


def joined(parts: Sequence[Preferences]) -> Preferences:
    """Of several rounds together."""
    if not parts:
        return preferences([], [])
    columns = ((part.query, part.preferred, part.rejected) for part in parts)
    return Preferences(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def folds(data: Preferences, n_folds: int, *, seed: int = 0) -> np.ndarray:
    """(n,) int64 the fold of each, of about the same size; one query is in one fold only."""
    queries, own = np.unique(data.query, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(queries))
    return (order % n_folds)[own].astype(np.int64)
