"""K-means (Eq. 4 of the ESMC paper) on sparse or dense rows, on any torch device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from esmc_core.cluster.rows import Rows
from esmc_core.errors import Cancelled

TRIAL_ROWS = 5_000
"""Above this many rows the starts compete on so many of them."""


@dataclass(frozen=True)
class KMeansResult:
    """One partition of the rows.

    Attributes:
        labels: (n_rows,) int64.
        centroids: (n_clusters, n_columns) float32, the labels are the nearest of them.
        squared_distances: (n_rows,) float32, to the row's own centroid.
        inertia: sum of the squared distances.
        n_iter: Lloyd iterations that were made.
    """

    labels: torch.Tensor
    centroids: torch.Tensor
    squared_distances: torch.Tensor
    inertia: float
    n_iter: int


def fit_kmeans(
    rows: Rows,
    n_clusters: int,
    *,
    n_init: int = 10,
    max_iter: int = 300,
    tolerance: float = 1e-4,
    seed: int = 0,
    should_stop: Callable[[], bool] | None = None,
) -> KMeansResult:
    """The partition of lowest inertia out of `n_init` k-means++ starts.

    Where there are many rows, the starts compete on a random sample of them, and the best of the
    partitions is refined on all.

    Random numbers are drawn on the CPU: the same seed starts from the same rows on any device.

    Raises:
        Cancelled: `should_stop` said so, asked once a start.
    """
    generator = torch.Generator().manual_seed(seed)
    trial = _sample(rows, max(TRIAL_ROWS, 20 * n_clusters), generator)
    best: KMeansResult | None = None
    for _ in range(n_init):
        if should_stop is not None and should_stop():
            raise Cancelled()
        start = trial.dense(choose_starts(trial, n_clusters, generator=generator))
        result = refine(trial, start, max_iter=max_iter, tolerance=tolerance)
        if best is None or result.inertia < best.inertia * (1 - 1e-6):
            best = result
    assert best is not None
    if trial is rows:
        return best
    return refine(rows, best.centroids, max_iter=max_iter, tolerance=tolerance)


def _sample(rows: Rows, n_wanted: int, generator: torch.Generator) -> Rows:
    if rows.n_rows <= n_wanted:
        return rows
    chosen = torch.randperm(rows.n_rows, generator=generator)[:n_wanted]
    return rows.take(chosen.sort().values.to(rows.device))


def choose_starts(rows: Rows, n_clusters: int, *, generator: torch.Generator) -> torch.Tensor:
    """(n_clusters,) int64 rows to start from: k-means++, the best of several trials each.

    A row is drawn with a probability proportional to its squared distance to the nearest row
    chosen so far; of 2 + ln(n_clusters) draws the one is kept that lowers their sum the most.
    """
    n_trials = 2 + int(math.log(n_clusters))
    first = torch.randint(rows.n_rows, (1,), generator=generator).to(rows.device)
    chosen = [first]
    nearest = rows.squared_distances(rows.dense(first))
    for _ in range(1, n_clusters):
        draws = torch.rand(n_trials, generator=generator, dtype=torch.float64).to(rows.device)
        mass = nearest.squeeze(1).double().cumsum(0)
        candidates = torch.searchsorted(mass, draws * mass[-1], right=True)
        candidates.clamp_(max=rows.n_rows - 1)
        updated = torch.minimum(nearest, rows.squared_distances(rows.dense(candidates)))
        best = updated.double().sum(dim=0).argmin(dim=0, keepdim=True)
        chosen.append(candidates[best])
        nearest = updated[:, best]
    return torch.cat(chosen)


def refine(
    rows: Rows, centroids: torch.Tensor, *, max_iter: int = 300, tolerance: float = 1e-4
) -> KMeansResult:
    """Lloyd's iterations from given (n_clusters, n_columns) centroids.

    They end when no label changes, or when the centroids' squared shift falls to `tolerance`
    times the mean variance of a column. An empty cluster gets the row farthest from its centroid.
    """
    limit = tolerance * rows.mean_variance
    previous: torch.Tensor | None = None
    n_iter = 0
    for n_iter in range(1, max_iter + 1):  # noqa: B007 - reported below
        nearest, labels = rows.squared_distances(centroids).min(dim=1)
        labels = _fill_empty(labels, nearest, len(centroids))
        if previous is not None and torch.equal(labels, previous):
            break
        moved = rows.centroids(labels, len(centroids))
        shift = float((moved - centroids).square().sum())
        centroids, previous = moved, labels
        if shift <= limit:
            break
    nearest, labels = rows.squared_distances(centroids).min(dim=1)
    inertia = float(nearest.double().sum())
    return KMeansResult(labels, centroids, nearest, inertia, n_iter)


def _fill_empty(labels: torch.Tensor, distances: torch.Tensor, n_clusters: int) -> torch.Tensor:
    counts = torch.bincount(labels, minlength=n_clusters)
    empty = (counts == 0).nonzero().squeeze(1).tolist()
    if not empty:
        return labels
    labels, distances = labels.clone(), distances.clone()
    for cluster in empty:
        # A row alone in its cluster stays: taking it would only move the hole.
        movable = distances.masked_fill(counts[labels] < 2, -1.0)
        farthest = movable.argmax()
        counts[labels[farthest]] -= 1
        labels[farthest], counts[cluster] = cluster, 1
    return labels
