"""From the lens at one cell to named clusters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse

from esmc_core.cluster.clustering import Clustering, ClusterSettings, Geometry, Source
from esmc_core.cluster.estimator import ESMCClustering, Progress
from esmc_core.distributions import Distributions
from esmc_core.errors import InputError
from esmc_core.naming import cluster_names, dominant_tokens
from esmc_core.spelling import TokenTexts, merged_matrix

_SOURCE = Source()
POWERS: dict[Geometry, float] = {"fourth_root": 0.25, "hellinger": 0.5, "euclidean": 1.0}


def vocabulary_rows(
    distributions: Distributions, token_texts: TokenTexts, *, settings: ClusterSettings
) -> scipy.sparse.csr_matrix:
    """The rows that are clustered, which metrics and projection should see too.

    Returns:
        (n_images, n_vocab) float32; p to the power of settings.geometry, spelling variants added
        up if settings.merge_spelling.
    """
    if settings.merge_spelling:
        return by_geometry(merged_matrix(distributions, token_texts), settings)
    return by_geometry(distributions.to_csr(), settings)


def by_geometry(
    matrix: scipy.sparse.csr_matrix, settings: ClusterSettings
) -> scipy.sparse.csr_matrix:
    """⁴√p, √p or p, of the probabilities in a matrix; its indices are shared, not copied."""
    parts = (matrix.data ** POWERS[settings.geometry], matrix.indices, matrix.indptr)
    return scipy.sparse.csr_matrix(parts, matrix.shape)


def cluster_distributions(
    distributions: Distributions,
    token_texts: TokenTexts,
    *,
    settings: ClusterSettings,
    source: Source = _SOURCE,
    device: str = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Clustering:
    """Cluster images by their distributions at a cell, and name the clusters.

    Args:
        distributions: of n_images images.
        token_texts: gives the tokenizer's pieces of token ids.
        progress: called with steps done and steps in all.

    Raises:
        InputError: more clusters than different images, or settings out of range.
        Cancelled: `should_stop` said so.
    """
    if settings.representation != "vocabulary":
        raise InputError("Hidden states are needed.", "Choose the vocabulary, or run the model.")
    merged = merged_matrix(distributions, token_texts)
    rows = by_geometry(merged if settings.merge_spelling else distributions.to_csr(), settings)
    found = make_estimator(settings, device=device).fit(
        rows, progress=progress, should_stop=should_stop
    )
    return _name(found, distributions, merged, token_texts, settings, source)


def cluster_hidden_states(
    hidden: np.ndarray,
    distributions: Distributions,
    token_texts: TokenTexts,
    *,
    settings: ClusterSettings,
    source: Source = _SOURCE,
    device: str = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Clustering:
    """Cluster images by their hidden states; the names come from the lens at the same cell.

    Args:
        hidden: (n_images, d_model) float, at the cell.
        distributions: of the same images at the same cell.
        token_texts, progress: as in `cluster_distributions`, and so is what is raised.
    """
    if len(hidden) != distributions.n_images:
        raise InputError(
            f"{len(hidden)} hidden states do not fit {distributions.n_images} images.",
            "Run the model over the images again.",
        )
    found = make_estimator(settings, device=device).fit(
        hidden, progress=progress, should_stop=should_stop
    )
    merged = merged_matrix(distributions, token_texts)
    return _name(found, distributions, merged, token_texts, settings, source)


def make_estimator(settings: ClusterSettings, *, device: str = "cpu") -> ESMCClustering:
    """The estimator that the settings stand for."""
    return ESMCClustering(
        settings.n_clusters,
        alpha=settings.alpha,
        use_head=settings.use_head,
        labels_from=settings.labels_from,
        n_init=settings.n_init,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        random_state=settings.seed,
        device=device,
    )


def _name(
    found: ESMCClustering,
    distributions: Distributions,
    merged: scipy.sparse.csr_matrix,
    token_texts: TokenTexts,
    settings: ClusterSettings,
    source: Source,
) -> Clustering:
    dominant = dominant_tokens(distributions, found.labels_, token_texts, merged=merged)
    return Clustering(
        settings=settings,
        source=source,
        labels=found.labels_,
        confidence=found.confidence_,
        distances=found.distances_,
        automatic_names=tuple(cluster_names(dominant)),
        dominant_tokens=tuple(map(tuple, dominant)),
    )
