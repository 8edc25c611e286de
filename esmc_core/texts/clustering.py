"""Clusters of embeddings, kept in the same record as clusters of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from esmc_core.cluster.clustering import Clustering, ClusterSettings, Source
from esmc_core.errors import InputError
from esmc_core.naming import DominantToken
from esmc_core.texts.guided import Stage, guided_labels
from esmc_core.texts.preferences import Preferences
from esmc_core.texts.terms import distinctive_terms, term_names

_MANY_TEXTS = 20_000


def text_settings(n_clusters: int, *, n_texts: int = 0, seed: int = 0) -> ClusterSettings:
    """K-means on the embeddings, without the pictures' head; fewer starts for many texts."""
    return ClusterSettings(
        n_clusters,
        representation="hidden",
        merge_spelling=False,
        use_head=False,
        n_init=3 if n_texts > _MANY_TEXTS else 10,
        seed=seed,
    )


def cluster_texts(
    texts: Sequence[str],
    embeddings: np.ndarray,
    settings: ClusterSettings,
    source: Source,
    *,
    answers: Preferences | None = None,
    with_terms: bool = True,
    stage: Stage | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Clustering:
    """Clusters of the embeddings; names are made of the clusters' distinctive terms.

    Args:
        embeddings: (n_texts, d) float32, of length 1.
        source: what the embeddings are, by key.
        answers: that guide the clusters, see `guided_labels`; None for K-means.
        with_terms: False leaves the clusters without terms and names, which takes less time.
        stage: called at the beginning of a step with its name, for what to tell its progress.

    Returns:
        Whose `labels`, `confidence` (simplified silhouette, 0 to 1) and `distances` are
        (n_texts,), the largest cluster first.

    Raises:
        InputError: there are more clusters than different texts.
        Cancelled: `should_stop` said so.
    """
    from esmc_core.cluster.rows import count_distinct_rows

    n_clusters = settings.n_clusters
    if n_clusters < 1:
        raise InputError(f"{n_clusters} clusters cannot be formed.", "Ask for 1 cluster or more.")
    n_distinct = count_distinct_rows(embeddings, n_clusters)
    if n_distinct < n_clusters:
        raise InputError(
            f"{n_distinct} different texts cannot form {n_clusters} clusters.",
            f"Lower the number to {n_distinct} or fewer.",
        )
    if answers is None:
        labels, confidence, distances = _kmeans(embeddings, settings, stage, should_stop)
    else:
        labels = guided_labels(
            embeddings,
            n_clusters,
            answers,
            seed=settings.seed,
            stage=stage,
            should_stop=should_stop,
        )
        labels = _by_size(labels)
        confidence, distances = _margins(embeddings, labels)
    terms: list[list[DominantToken]] = [[]] * n_clusters
    if with_terms:
        telling = None if stage is None else stage("finding what they have in common")
        terms = distinctive_terms(texts, labels, progress=telling, should_stop=should_stop)
    return Clustering(
        settings=settings,
        source=source,
        labels=labels,
        confidence=confidence.astype(np.float32),
        distances=distances.astype(np.float32),
        automatic_names=tuple(term_names(terms)),
        dominant_tokens=tuple(map(tuple, terms)),
    )


def _kmeans(
    embeddings: np.ndarray,
    settings: ClusterSettings,
    stage: Stage | None,
    should_stop: Callable[[], bool] | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from esmc_core.cluster.estimator import ESMCClustering

    found = ESMCClustering(
        settings.n_clusters, use_head=False, n_init=settings.n_init, random_state=settings.seed
    ).fit(
        embeddings,
        progress=None if stage is None else stage("grouping"),
        should_stop=should_stop,
    )
    return found.labels_, found.confidence_, found.distances_


def _by_size(labels: np.ndarray) -> np.ndarray:
    """The same clusters, the largest first, among equal ones the first to appear."""
    _, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    number = np.empty(len(sizes), dtype=np.int64)
    number[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return number[labels]


def _margins(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n_texts,) confidence and (n_texts,) distance to the own centre.

    The confidence is 1 − a / b, a the distance to the own centre and b to the next, and 0 for a
    text that is nearer to another centre.
    """
    rows = np.asarray(embeddings, dtype=np.float32)
    centres = np.zeros((int(labels.max()) + 1, rows.shape[1]))
    np.add.at(centres, labels, rows)
    centres = (centres / np.bincount(labels)[:, None]).astype(np.float32)
    squares = np.square(rows).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)
    distances = np.sqrt(np.maximum(squares - 2 * rows @ centres.T, 0))
    texts = np.arange(len(rows))
    own = distances[texts, labels]
    distances[texts, labels] = np.inf
    other = distances.min(axis=1)
    return np.clip(1 - own / np.maximum(other, 1e-12), 0, 1), own


def with_names(clustering: Clustering, names: Sequence[str]) -> Clustering:
    """The same clusters under other automatic names; "" keeps a cluster's own."""
    pairs = zip(names, clustering.automatic_names, strict=True)
    return dataclasses.replace(
        clustering, automatic_names=tuple(name or own for name, own in pairs)
    )


def changed_neighbours(
    before: np.ndarray, after: np.ndarray, text: int, *, n_neighbours: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """A text's nearest neighbours before and after tuning, the nearest first.

    Args:
        before, after: (n_texts, d) embeddings of length 1.

    Returns:
        Two (n_neighbours,) int64 arrays of texts.
    """
    nearest = []
    for embeddings in (before, after):
        cosines = embeddings @ embeddings[text]
        cosines[text] = -np.inf
        n_shown = min(n_neighbours, len(cosines) - 1)
        nearest.append(np.argsort(-cosines, kind="stable")[:n_shown].astype(np.int64))
    return nearest[0], nearest[1]
