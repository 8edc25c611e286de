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

_USUAL_ITERATIONS = 30  # foreseen for a first start
_MORE_ON_ALL = 2  # times as many iterations as the starts took are foreseen on all rows

Progress = Callable[[int, int], None]


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
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> KMeansResult:
    """The partition of lowest inertia out of `n_init` k-means++ starts.

    Where there are many rows, the starts compete on a random sample of them, and the best of the
    partitions is refined on all.

    Random numbers are drawn on the CPU: the same seed starts from the same rows on any device.

    Args:
        progress: called after each iteration with the rows gone over and those foreseen in all;
            how many iterations there will be is not known, so that the latter changes.

    Raises:
        Cancelled: `should_stop` said so, asked after each centre and iteration.
    """
    generator = torch.Generator().manual_seed(seed)
    trial = _sample(rows, max(TRIAL_ROWS, 20 * n_clusters), generator)
    runs = [trial.n_rows] * n_init + ([] if trial is rows else [rows.n_rows])
    effort = _Effort(runs, progress, should_stop)
    best: KMeansResult | None = None
    for _ in range(n_init):
        chosen = choose_starts(trial, n_clusters, generator=generator, after_each=effort.check)
        result = refine(
            trial,
            trial.dense(chosen),
            max_iter=max_iter,
            tolerance=tolerance,
            after_each=effort.count_iteration,
        )
        effort.end_run()
        if best is None or result.inertia < best.inertia * (1 - 1e-6):
            best = result
    assert best is not None
    if trial is rows:
        return best
    best = refine(
        rows,
        best.centroids,
        max_iter=max_iter,
        tolerance=tolerance,
        after_each=effort.count_iteration,
    )
    effort.end_run()
    return best


class _Effort:
    """Counts the rows that K-means goes over, and foresees how many are still to come.

    Args:
        runs: the number of rows of each run of Lloyd's iterations, in their order.
    """

    def __init__(
        self,
        runs: list[int],
        progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._runs, self._progress, self._should_stop = runs, progress, should_stop
        self._ended: list[int] = []  # iterations of the runs that have ended
        self._n_iter = 0
        self._report()

    def check(self) -> None:
        """Raise Cancelled if the work is to stop."""
        if self._should_stop is not None and self._should_stop():
            raise Cancelled()

    def count_iteration(self) -> None:
        """One more iteration of the run that is under way."""
        self._n_iter += 1
        self._report()
        self.check()

    def end_run(self) -> None:
        """The run that was under way has ended; with the last one all is done."""
        self._ended.append(self._n_iter)
        self._n_iter = 0
        if len(self._ended) == len(self._runs):
            self._report()

    def _report(self) -> None:
        if self._progress is None:
            return
        ended = self._ended
        usual = sum(ended) / len(ended) if ended else _USUAL_ITERATIONS
        past = sum(n * rows for n, rows in zip(ended, self._runs, strict=False))
        foreseen = [usual * rows for rows in self._runs[len(ended) :]]
        if not foreseen:
            self._progress(past, past)
            return
        if self._runs[-1] > self._runs[0]:
            foreseen[-1] *= _MORE_ON_ALL
        now = self._n_iter * self._runs[len(ended)]
        foreseen[0] = max(foreseen[0], 1.25 * now)
        self._progress(past + now, int(past + sum(foreseen)))


def _sample(rows: Rows, n_wanted: int, generator: torch.Generator) -> Rows:
    if rows.n_rows <= n_wanted:
        return rows
    chosen = torch.randperm(rows.n_rows, generator=generator)[:n_wanted]
    return rows.take(chosen.sort().values.to(rows.device))


def choose_starts(
    rows: Rows,
    n_clusters: int,
    *,
    generator: torch.Generator,
    after_each: Callable[[], None] | None = None,
) -> torch.Tensor:
    """(n_clusters,) int64 rows to start from: k-means++, the best of several trials each.

    A row is drawn with a probability proportional to its squared distance to the nearest row
    chosen so far; of 2 + ln(n_clusters) draws the one is kept that lowers their sum the most.

    Args:
        after_each: called after each row that is chosen; what it raises ends the work.
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
        if after_each is not None:
            after_each()
    return torch.cat(chosen)


def refine(
    rows: Rows,
    centroids: torch.Tensor,
    *,
    max_iter: int = 300,
    tolerance: float = 1e-4,
    after_each: Callable[[], None] | None = None,
) -> KMeansResult:
    """Lloyd's iterations from given (n_clusters, n_columns) centroids.

    They end when no label changes, or when the centroids' squared shift falls to `tolerance`
    times the mean variance of a column. An empty cluster gets the row farthest from its centroid.

    Args:
        after_each: called after each iteration; what it raises ends the work.
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
        if after_each is not None:
            after_each()
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
