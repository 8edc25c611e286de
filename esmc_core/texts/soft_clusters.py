"""Fine clusters of the embeddings, and how undecided each text is between the closest of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from esmc_core.errors import Cancelled, InputError
from esmc_core.threads import threads_for

# The paper's 67 for 768 and 77 for 1,024 dimensions are both 2.41 √d.
THRESHOLD = 2.41
_AGGLOMERATIVE_TEXTS = 2_000  # above, the n × n distances take too much time
_N_LARGE = 100
_CLOSE_SHARE = 0.02
_CENTRAL_SHARE = 0.3
_BLOCK = 4096
# Shares of the time that 100,000 texts take: to standardise them, and to cluster them finely.
_STANDARDISED, _CLUSTERED = 0.5, 0.9


@dataclass(frozen=True, eq=False)
class SoftClusters:
    """Fine clusters and each text's closest ones.

    Attributes:
        labels: (n_texts,) int64, each text's fine cluster.
        closest: (n_texts, m) int64, the m clusters of highest q, the closest first;
            m = max(2, 2 % of the clusters).
        entropy: (n_texts,) float64, in nats, of q over those m.
        distances: (n_texts,) float64, squared, to the centre of the own fine cluster.
    """

    labels: np.ndarray
    closest: np.ndarray
    entropy: np.ndarray
    distances: np.ndarray

    @property
    def n_clusters(self) -> int:
        return int(self.labels.max()) + 1

    def members(self, cluster: int) -> np.ndarray:
        """The texts of a cluster."""
        return np.flatnonzero(self.labels == cluster)

    def central_members(self, cluster: int) -> np.ndarray:
        """The 30 % of a cluster's texts nearest to its centre, but two if there are two."""
        members = self.members(cluster)
        n_central = max(2, math.ceil(len(members) * _CENTRAL_SHARE))
        return members[np.argsort(self.distances[members], kind="stable")[:n_central]]


def cluster_softly(
    embeddings: np.ndarray,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> SoftClusters:
    """Standardise, cluster finely, and measure how undecided each text is.

    Small sets are merged bottom-up (Ward) up to the distance 2.41 √d, large ones go through
    MiniBatchKMeans(100). The soft assignment of x to the centre μ_k is q_k ∝ 1 / (1 + ‖x − μ_k‖²),
    renormalised over the closest clusters.

    Args:
        embeddings: (n_texts, d) float.
        progress: called with texts done and in all, by the usual shares of the steps.

    Raises:
        InputError: there are fewer than four texts.
        Cancelled: `should_stop` said so.
    """

    def reach(share: float) -> None:
        if should_stop is not None and should_stop():
            raise Cancelled()
        if progress is not None:
            progress(int(share * len(embeddings)), len(embeddings))

    if len(embeddings) < 4:
        raise InputError(f"{len(embeddings)} texts are too few to compare.", "Add some.")
    reach(0.0)
    rows = standardised(embeddings)
    reach(_STANDARDISED)
    with threads_for(len(rows)):
        labels = _fine_labels(rows, seed)
    centres = _centres(rows, labels)
    n_close = min(max(2, round(len(centres) * _CLOSE_SHARE)), len(centres))
    closest = np.empty((len(rows), n_close), dtype=np.int64)
    entropy = np.empty(len(rows))
    own = np.empty(len(rows))
    squares = np.square(centres).sum(axis=1)
    for start in range(0, len(rows), _BLOCK):
        reach(_CLUSTERED + (1 - _CLUSTERED) * start / len(rows))
        block = rows[start : start + _BLOCK]
        distances = np.square(block).sum(axis=1)[:, None] + squares - 2 * block @ centres.T
        distances = np.maximum(distances, 0)
        own[start : start + _BLOCK] = distances[
            np.arange(len(block)), labels[start : start + _BLOCK]
        ]
        q = 1 / (1 + distances)
        order = np.argsort(-q, axis=1, kind="stable")[:, :n_close]
        closest[start : start + _BLOCK] = order
        close = np.take_along_axis(q, order, axis=1)
        close /= close.sum(axis=1, keepdims=True)
        entropy[start : start + _BLOCK] = -(close * np.log(close)).sum(axis=1)
    return SoftClusters(labels, closest, entropy, own)


def standardised(embeddings: np.ndarray) -> np.ndarray:
    """(n, d) float64 columns of mean 0 and variance 1; a constant column becomes 0."""
    rows = np.asarray(embeddings, dtype=np.float64)
    scale = rows.std(axis=0)
    return (rows - rows.mean(axis=0)) / np.where(scale > 1e-12, scale, 1.0)


def _fine_labels(rows: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering, MiniBatchKMeans

    n_texts, dimension = rows.shape
    if n_texts > _AGGLOMERATIVE_TEXTS:
        found = MiniBatchKMeans(_N_LARGE, random_state=seed, n_init=1)
        labels = found.fit_predict(rows.astype(np.float32))
    else:
        tree = AgglomerativeClustering(
            n_clusters=None, distance_threshold=THRESHOLD * dimension**0.5
        ).fit(rows)
        labels = tree.labels_
        # A handful of texts, or very even ones, would give one cluster or one a text: neither
        # has anything to ask.
        possible = min(max(tree.n_clusters_, 2), n_texts // 2)
        if possible != tree.n_clusters_:
            labels = AgglomerativeClustering(n_clusters=possible).fit_predict(rows)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _centres(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    sums = np.zeros((int(labels.max()) + 1, rows.shape[1]))
    np.add.at(sums, labels, rows)
    return sums / np.bincount(labels)[:, None]
