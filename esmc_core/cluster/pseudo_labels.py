"""Pseudo-labels (Eqs. 5 and 6 of the ESMC paper): the images nearest to their own centroid."""

from __future__ import annotations

import numpy as np

LEFT_OUT = -1


def choose_pseudo_labels(
    labels: np.ndarray, squared_distances: np.ndarray, *, alpha: float
) -> np.ndarray:
    """Keep the label of the share `alpha` of each cluster that lies nearest to its centroid.

    At least one image of every cluster keeps its label; among equally near ones the first.

    Args:
        labels: (n_images,) int, each image's cluster.
        squared_distances: (n_images,) float, squared Euclidean, to the image's own centroid.
        alpha: share of each cluster, in (0, 1].

    Returns:
        (n_images,) int64, the label, or -1 for an image that is left out.
    """
    order = np.lexsort((squared_distances, labels))
    sizes = np.bincount(labels)
    starts = np.cumsum(sizes) - sizes
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[order] = np.arange(len(labels)) - starts[labels[order]]
    # 0.29 * 100 is 28.999...: a billionth more keeps the 29 images that were meant.
    quotas = np.maximum(1, np.floor(alpha * sizes + 1e-9)).astype(np.int64)
    return np.where(ranks < quotas[labels], labels, LEFT_OUT).astype(np.int64)
