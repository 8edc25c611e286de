"""Triplets to ask about: a query between two of its closest clusters, one text of each."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from esmc_core.errors import InputError
from esmc_core.texts.soft_clusters import SoftClusters, cluster_softly

N_TRIPLETS = 1024
_QUERY_SHARE = 0.2
_MAX_IDLE_ROUNDS = 20

Sampling = Literal["entropy", "paper", "random"]
"""How triplets are drawn: queries of high entropy, and of the two closest clusters texts near the
centre; the same queries, and as in the paper of two of the closest clusters any texts; or random
queries and texts."""


@dataclass(frozen=True, order=True)
class Triplet:
    """Which of two texts better corresponds with the query? All three are numbers of texts."""

    query: int
    choice1: int
    choice2: int

    @property
    def unordered(self) -> tuple[int, int, int]:
        """The same for both orders of the choices."""
        low, high = sorted((self.choice1, self.choice2))
        return self.query, low, high


def sample_triplets(
    embeddings: np.ndarray,
    n_triplets: int = N_TRIPLETS,
    *,
    sampling: Sampling = "entropy",
    seed: int = 0,
    known: Collection[Triplet] = (),
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Triplet]:
    """Triplets to ask about; of random texts for comparison.

    Args:
        embeddings: (n_texts, d) float.
        known: triplets of an earlier round, which are not drawn again.
        progress: as of `cluster_softly`.

    Returns:
        Up to `n_triplets` different ones; fewer where the texts give no more.

    Raises:
        InputError: there are fewer than four texts.
        Cancelled: `should_stop` said so.
    """
    rng = np.random.default_rng(seed)
    taken = {triplet.unordered for triplet in known}
    if sampling == "random":
        return _random_triplets(len(embeddings), n_triplets, rng, taken)
    soft = cluster_softly(embeddings, seed=seed, progress=progress, should_stop=should_stop)
    return _entropy_triplets(soft, n_triplets, rng, taken, is_central=sampling == "entropy")


def most_undecided(soft: SoftClusters) -> np.ndarray:
    """(n_queries,) the 20 % of the texts with the highest entropy, the highest first."""
    n_queries = max(1, int(len(soft.entropy) * _QUERY_SHARE))
    return np.argsort(-soft.entropy, kind="stable")[:n_queries]


def _entropy_triplets(
    soft: SoftClusters,
    n_triplets: int,
    rng: np.random.Generator,
    taken: set[tuple[int, int, int]],
    *,
    is_central: bool,
) -> list[Triplet]:
    """One triplet a query, the queries shuffled; then further rounds over the same queries."""
    queries = rng.permutation(most_undecided(soft))
    members_of = soft.central_members if is_central else soft.members
    members = [members_of(cluster) for cluster in range(soft.n_clusters)]
    found: list[Triplet] = []
    idle_rounds = 0
    while len(found) < n_triplets and idle_rounds < _MAX_IDLE_ROUNDS:
        before = len(found)
        for query in queries:
            close = soft.closest[query]
            first, second = close[:2] if is_central else rng.choice(close, 2, replace=False)
            choices = int(rng.choice(members[first])), int(rng.choice(members[second]))
            _add(found, taken, int(query), choices, rng)
            if len(found) == n_triplets:
                break
        idle_rounds = idle_rounds + 1 if len(found) == before else 0
    return found


def _random_triplets(
    n_texts: int, n_triplets: int, rng: np.random.Generator, taken: set[tuple[int, int, int]]
) -> list[Triplet]:
    if n_texts < 4:
        raise InputError(f"{n_texts} texts are too few to compare.", "Add some.")
    found: list[Triplet] = []
    misses = 0
    while len(found) < n_triplets and misses < 100 * _MAX_IDLE_ROUNDS:
        query, one, other = (int(i) for i in rng.choice(n_texts, 3, replace=False))
        before = len(found)
        _add(found, taken, query, (one, other), rng)
        misses = misses + 1 if len(found) == before else 0
    return found


def _add(
    found: list[Triplet],
    taken: set[tuple[int, int, int]],
    query: int,
    choices: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Keep a triplet that is new and sound, its choices in random order."""
    if query in choices or choices[0] == choices[1]:
        return
    if rng.random() < 0.5:
        choices = choices[::-1]
    triplet = Triplet(query, *choices)
    if triplet.unordered not in taken:
        taken.add(triplet.unordered)
        found.append(triplet)


def embedder_choices(embeddings: np.ndarray, triplets: list[Triplet]) -> np.ndarray:
    """(n_triplets,) int64, 1 or 2: which choice the embedder holds nearer, by the cosine."""
    return np.where(margins(embeddings, triplets) >= 0, 1, 2)


def margins(embeddings: np.ndarray, triplets: list[Triplet]) -> np.ndarray:
    """(n_triplets,) float: cosine of query and choice 1 minus that of query and choice 2."""
    if not triplets:
        return np.zeros(0)
    query, choice1, choice2 = np.array(
        [(t.query, t.choice1, t.choice2) for t in triplets], dtype=np.int64
    ).T
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1), 1e-12)

    def cosine(other: np.ndarray) -> np.ndarray:
        products = np.einsum("nd,nd->n", embeddings[query], embeddings[other])
        return products / (lengths[query] * lengths[other])

    return cosine(choice1) - cosine(choice2)
