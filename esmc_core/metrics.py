"""How good a partition is: against the truth, and without one."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, rand_score
from sklearn.metrics.cluster import contingency_matrix

from esmc_core.cluster.kmeans import fit_kmeans
from esmc_core.cluster.rows import Rows, rows_of
from esmc_core.errors import Cancelled, InputError
from esmc_core.threads import threads_for

SAMPLE_SIZE = 5000
"""Images that the figures without a truth are measured on."""


@dataclass(frozen=True)
class Agreement:
    """A partition against the truth, each figure at most 1.

    Attributes:
        nmi: normalised mutual information, arithmetic mean.
        rand_index: share of pairs on which the two agree.
        ari: adjusted Rand index.
        accuracy: share of images right under the best one-to-one matching.
        n_images: images with a known truth, on which all this was measured.
    """

    nmi: float
    rand_index: float
    ari: float
    accuracy: float
    n_images: int


def compare_with_truth(labels: np.ndarray, truth: Sequence[Hashable]) -> Agreement:
    """Measure labels against the true classes; images with the truth None, NaN or "" are left out.

    Args:
        labels: (n_images,) int.
        truth: (n_images,) classes of any kind.

    Raises:
        InputError: the lengths differ, or no truth is known.
    """
    if len(labels) != len(truth):
        raise InputError(
            f"{len(truth)} true labels do not fit {len(labels)} images.",
            "Give one for each image.",
        )
    known = np.array([not _is_missing(value) for value in truth], dtype=bool)
    if not known.any():
        raise InputError("No true label is known.", "Check the labels file.")
    classes = {value: i for i, value in enumerate(dict.fromkeys(truth))}
    true = np.array([classes[value] for value in truth])[known]
    found = np.asarray(labels)[known]
    table = contingency_matrix(true, found)
    matched = table[linear_sum_assignment(table, maximize=True)].sum()
    return Agreement(
        nmi=float(normalized_mutual_info_score(true, found, average_method="arithmetic")),
        rand_index=float(rand_score(true, found)),
        ari=float(adjusted_rand_score(true, found)),
        accuracy=float(matched / len(true)),
        n_images=len(true),
    )


def silhouette(
    matrix: Any,
    labels: np.ndarray,
    *,
    max_images: int = SAMPLE_SIZE,
    seed: int = 0,
    device: str = "cpu",
) -> float | None:
    """The mean silhouette (Euclidean), on a random sample where there are many images.

    Args:
        matrix: (n_images, n_features), dense or sparse.
        labels: (n_images,) int.

    Returns:
        -1 to 1; None where it is not defined (one cluster, or only clusters of one image).
    """
    sample = np.arange(len(labels))
    if len(sample) > max_images:
        sample = np.sort(np.random.default_rng(seed).choice(sample, max_images, replace=False))
        matrix, labels = matrix[sample], labels[sample]
    _, labels = np.unique(labels, return_inverse=True)
    sizes = torch.from_numpy(np.bincount(labels)).to(device)
    if not 2 <= len(sizes) < len(labels):
        return None
    rows, own = rows_of(matrix, device=device), torch.from_numpy(labels).to(device)
    with threads_for(rows.n_rows):
        return float(_silhouettes(rows, own, sizes).mean())


def stability(
    rows: Rows,
    n_clusters: int,
    *,
    n_runs: int = 5,
    max_images: int = SAMPLE_SIZE,
    seed: int = 0,
    should_stop: Callable[[], bool] | None = None,
) -> float:
    """Mean adjusted Rand index between K-means runs, each the best of three starts.

    Where the number of clusters fits the data, all runs end in the same partition: 1. It is
    measured on a random sample where there are many images.
    """
    if rows.n_rows > max_images:
        sample = np.random.default_rng(seed).choice(rows.n_rows, max_images, replace=False)
        rows = rows.take(torch.from_numpy(np.sort(sample)).to(rows.device))
    with threads_for(rows.n_rows):
        runs = [
            fit_kmeans(rows, n_clusters, n_init=3, seed=seed + run, should_stop=should_stop)
            for run in range(n_runs)
        ]
    found = [run.labels.cpu().numpy() for run in runs]
    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(found, 2)]))


@dataclass(frozen=True)
class ClusterCount:
    """How well a number of clusters fits.

    Attributes:
        n_clusters: the number.
        stability: mean ARI between starts.
        silhouette: mean silhouette; None where it is not defined.
    """

    n_clusters: int
    stability: float
    silhouette: float | None

    @property
    def score(self) -> float:
        """The mean of the two; an undefined silhouette counts as 0."""
        return (self.stability + (self.silhouette or 0.0)) / 2


def score_cluster_counts(
    matrix: Any,
    counts: Sequence[int],
    *,
    max_images: int = 2000,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[ClusterCount]:
    """Stability and silhouette for several numbers of clusters, on a sample of the images.

    Numbers above that of the (sampled) images are left out.

    Args:
        matrix: (n_images, n_features), dense or sparse.

    Raises:
        Cancelled: `should_stop` said so.
    """
    n_images = matrix.shape[0]
    if n_images > max_images:
        sample = np.random.default_rng(seed).choice(n_images, max_images, replace=False)
        matrix = matrix[np.sort(sample)]
    rows = rows_of(matrix, device=device)
    possible = [count for count in counts if 1 <= count <= rows.n_rows]
    scores = []
    for done, count in enumerate(possible, start=1):
        if should_stop is not None and should_stop():
            raise Cancelled()
        with threads_for(rows.n_rows):
            best = fit_kmeans(rows, count, n_init=5, seed=seed, should_stop=should_stop)
        even = stability(rows, count, seed=seed, should_stop=should_stop)
        shape = silhouette(matrix, best.labels.cpu().numpy(), device=device)
        scores.append(ClusterCount(count, even, shape))
        if progress is not None:
            progress(done, len(possible))
    return scores


def suggest_cluster_count(scores: Sequence[ClusterCount]) -> int | None:
    """The number of clusters (2 or more) with the highest score, the lower among equals."""
    candidates = [score for score in scores if score.n_clusters > 1]
    if not candidates:
        return None
    return max(candidates, key=lambda score: (score.score, -score.n_clusters)).n_clusters


def _silhouettes(rows: Rows, labels: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """(n_rows,) silhouettes, in blocks of rows so that no n × n table is kept."""
    members = torch.nn.functional.one_hot(labels).to(torch.float32)
    parts = []
    for block in torch.arange(rows.n_rows, device=labels.device).split(256):
        distances = rows.squared_distances(rows.dense(block)).sqrt()
        # A row is at distance 0 from itself, whatever rounding says.
        distances[block, torch.arange(len(block), device=labels.device)] = 0.0
        sums = distances.T @ members
        own = labels[block][:, None]
        inside = sums.gather(1, own) / (sizes[own] - 1).clamp(min=1)
        outside = (sums / sizes).scatter(1, own, math.inf).min(dim=1, keepdim=True).values
        margin = (outside - inside) / torch.maximum(inside, outside).clamp(min=1e-12)
        parts.append(torch.where(sizes[own] > 1, margin, 0.0).squeeze(1))
    return torch.cat(parts)


def _is_missing(value: Hashable) -> bool:
    return value is None or value == "" or value != value
