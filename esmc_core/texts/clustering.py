"""Clusters of embeddings, kept in the same record as clusters of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from esmc_core.cluster.clustering import Clustering, ClusterSettings, Source
from esmc_core.errors import InputError
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
    with_terms: bool = True,
    should_stop: Callable[[], bool] | None = None,
) -> Clustering:
    """K-means on the embeddings; names are made of the clusters' distinctive terms.

    Args:
        embeddings: (n_texts, d) float32, of length 1.
        source: what the embeddings are, by key.
        with_terms: False leaves the clusters without terms and names, which takes less time.

    Returns:
        Whose `labels`, `confidence` (simplified silhouette, 0 to 1) and `distances` are
        (n_texts,), the largest cluster first.

    Raises:
        InputError: there are more clusters than different texts.
        Cancelled: `should_stop` said so.
    """
    from esmc_core.cluster.estimator import ESMCClustering
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
    found = ESMCClustering(
        n_clusters, use_head=False, n_init=settings.n_init, random_state=settings.seed
    ).fit(embeddings, should_stop=should_stop)
    terms = distinctive_terms(texts, found.labels_) if with_terms else [[]] * n_clusters
    return Clustering(
        settings=settings,
        source=source,
        labels=found.labels_,
        confidence=found.confidence_.astype(np.float32),
        distances=found.distances_.astype(np.float32),
        automatic_names=tuple(term_names(terms)),
        dominant_tokens=tuple(map(tuple, terms)),
    )


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
