"""From the lens at one cell of very many images to named clusters, a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse

from esmc_core.cluster.clustering import Clustering, ClusterSettings, Source
from esmc_core.cluster.estimator import Progress
from esmc_core.cluster.large import LargeClustering
from esmc_core.cluster.pipeline import by_geometry, make_estimator
from esmc_core.distributions import Distributions
from esmc_core.naming import ClusterFigures, cluster_names, rank_tokens
from esmc_core.spelling import TokenTexts, merge_into, representatives

Chunks: TypeAlias = Callable[[], Iterator[tuple[np.ndarray, Distributions]]]
"""Gives (chunk,) numbers of images and their distributions, in the same random order each time."""


@dataclass(frozen=True)
class CellStream:
    """The rows of one cell as `RowStream`, as `vocabulary_rows` has them.

    Attributes:
        read: gives the chunks.
        n_rows, n_features: images and words.
    """

    read: Chunks
    n_rows: int
    n_features: int
    token_texts: TokenTexts
    settings: ClusterSettings

    @cached_property
    def occurring(self) -> np.ndarray:
        """(n_tokens,) ids of the tokens that occur."""
        return np.flatnonzero(self._counted[0])

    @cached_property
    def representative(self) -> np.ndarray:
        """(n_features,) int32, the best spelling variant of each token."""
        return representatives(self._counted[1], self.occurring, self.token_texts)

    @cached_property
    def _counted(self) -> tuple[np.ndarray, np.ndarray]:
        """(n_features,) whether each token occurs, and the sum of its probabilities."""
        occurs, sums = np.zeros(self.n_features, dtype=bool), np.zeros(self.n_features)
        for _, cell in self.read():
            occurs[cell.occurring] = True
            sums += cell.sums
        return occurs, sums

    def chunks(self) -> Iterator[tuple[np.ndarray, scipy.sparse.csr_matrix]]:
        for images, cell in self.read():
            merged = self.settings.merge_spelling
            matrix = self.merged(cell) if merged else cell.to_csr()
            yield images, by_geometry(matrix, self.settings)

    def merged(self, cell: Distributions) -> scipy.sparse.csr_matrix:
        """(chunk, n_features) probabilities, spelling variants added up."""
        return merge_into(self.representative, cell)


def cluster_chunks(
    read: Chunks,
    n_images: int,
    n_vocab: int,
    token_texts: TokenTexts,
    *,
    settings: ClusterSettings,
    source: Source,
    device: str = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Clustering:
    """Cluster images by their distributions at a cell, and name the clusters.

    Args:
        read: gives the cell's chunks; called once for each step.
        progress: called with chunks done and chunks in all.

    Raises:
        InputError: more clusters than different images, or settings out of range.
        Cancelled: `should_stop` said so.
    """
    stream = CellStream(read, n_images, n_vocab, token_texts, settings)
    settings_of = make_estimator(settings, device=device).get_params()
    found = LargeClustering(**settings_of).fit(stream, progress=progress, should_stop=should_stop)
    figures = ClusterFigures.empty(int(found.labels_.max()) + 1, n_vocab)
    for images, cell in read():
        figures.add(stream.merged(cell), found.labels_[images])
    dominant = rank_tokens(figures, stream.occurring, token_texts)
    return Clustering(
        settings=settings,
        source=source,
        labels=found.labels_,
        confidence=found.confidence_,
        distances=found.distances_,
        automatic_names=tuple(cluster_names(dominant)),
        dominant_tokens=tuple(map(tuple, dominant)),
    )
