"""Clusters that follow the answers: many small clusters, merged by likeness and by what was said.

K-means makes clusters of like size. Where the true ones differ in size, or lie otherwise than the
embedder has them, small clusters merged step by step do better, and an answer about one text tells
something about the whole small cluster that it is in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from esmc_core.cluster.kmeans import fit_kmeans
from esmc_core.cluster.rows import DenseRows, count_distinct_rows
from esmc_core.errors import Cancelled
from esmc_core.texts.preferences import Preferences
from esmc_core.threads import threads_for

_SEARCHED = 20_000  # of more texts, so many may be neighbours
_BLOCK = 2**24
_LEAST_SMALL, _MOST_SMALL = 100, 500
_DOUBT = 6.0

Stop = Callable[[], bool]
Progress = Callable[[int, int], None]
Stage = Callable[[str], Progress]


@dataclass(frozen=True)
class GuideSettings:
    """How the answers guide; the same for all texts, chosen on the mean of nine labelled tasks.

    Attributes:
        n_neighbours: each text is replaced by the mean of itself and so many nearest ones; of
            fewer than 300 texts, by one neighbour for each 20.
        n_directions: of largest variance that are kept.
        evenness: 1 merges as Ward does, which favours clusters of like size; 0 by the distance
            between centres alone.
        weight: of the answers; 0 merges without them.
    """

    n_neighbours: int = 15
    n_directions: int = 64
    evenness: float = 0.6
    weight: float = 1.0


def guided_labels(
    embeddings: np.ndarray,
    n_clusters: int,
    data: Preferences,
    settings: GuideSettings | None = None,
    *,
    seed: int = 0,
    stage: Stage | None = None,
    should_stop: Stop | None = None,
) -> np.ndarray:
    """Cluster by the embeddings and the answers.

    Args:
        embeddings: (n_texts, d) float32 of length 1, of `n_clusters` or more different texts.
        data: the answers; with none, small clusters are merged by likeness alone.
        stage: called at the beginning of a step with its name, for what to tell its progress.

    Returns:
        (n_texts,) int64 from 0 to n_clusters − 1.

    Raises:
        Cancelled: `should_stop` said so.
    """
    settings = settings or GuideSettings()
    n_texts = len(embeddings)
    wanted = max(n_clusters, min(max(2 * n_clusters, _LEAST_SMALL), _MOST_SMALL, n_texts // 4))
    with threads_for(n_texts):
        n_neighbours = min(settings.n_neighbours, n_texts // 20)
        averaged = neighbour_means(
            embeddings,
            n_neighbours,
            progress=None if stage is None else stage("finding what is near each text"),
            should_stop=should_stop,
        )
        points = leading_directions(averaged, settings.n_directions)
        if count_distinct_rows(points, n_clusters) < n_clusters:
            points = leading_directions(embeddings, settings.n_directions)
        n_small = min(wanted, count_distinct_rows(points, wanted))
        rows = DenseRows.from_array(points)
        found = fit_kmeans(
            rows,
            n_small,
            n_init=1,
            seed=seed,
            progress=None if stage is None else stage("grouping"),
            should_stop=should_stop,
        )
    small = np.unique(found.labels.cpu().numpy(), return_inverse=True)[1]
    votes = count_votes(small, data)
    merged = merge(points, small, n_clusters, votes, settings, should_stop=should_stop)
    return merged[small]


def plain_labels(embeddings: np.ndarray, n_clusters: int, *, seed: int = 0) -> np.ndarray:
    """(n_texts,) int64: K-means on the embeddings' leading directions, quickly."""
    points = leading_directions(embeddings, GuideSettings.n_directions)
    n_clusters = min(n_clusters, count_distinct_rows(points, n_clusters))
    with threads_for(len(points)):
        found = fit_kmeans(DenseRows.from_array(points), n_clusters, n_init=3, seed=seed)
    return found.labels.cpu().numpy()


def neighbour_means(
    embeddings: np.ndarray,
    n_neighbours: int,
    *,
    progress: Progress | None = None,
    should_stop: Stop | None = None,
) -> np.ndarray:
    """(n_texts, d) float32 of length 1: each text's mean with its nearest neighbours.

    Args:
        progress: called with texts done and in all.
    """
    if n_neighbours < 1:
        return np.asarray(embeddings, dtype=np.float32)
    rows = torch.from_numpy(np.array(embeddings, dtype=np.float32))
    pool = rows
    if len(rows) > _SEARCHED:
        chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
        pool = rows[chosen[:_SEARCHED].sort().values]
    means = torch.empty_like(rows)
    step = max(1, _BLOCK // len(pool))
    for start in range(0, len(rows), step):
        if should_stop is not None and should_stop():
            raise Cancelled()
        if progress is not None:
            progress(start, len(rows))
        block = rows[start : start + step]
        nearest = (block @ pool.T).topk(n_neighbours + 1, dim=1).indices
        total = pool[nearest.flatten()].view(len(block), n_neighbours + 1, -1).sum(dim=1)
        if pool is not rows:  # the text itself may not be in the pool
            total += block
        means[start : start + step] = torch.nn.functional.normalize(total, dim=1)
    return means.numpy()


def leading_directions(embeddings: np.ndarray, n_directions: int) -> np.ndarray:
    """(n_texts, at most n_directions) float32: principal components."""
    centred = np.asarray(embeddings, dtype=np.float32) - np.mean(embeddings, axis=0)
    if centred.shape[1] <= n_directions:
        return centred
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return np.ascontiguousarray(centred @ vectors[:, -n_directions:].astype(np.float32))


def count_votes(small: np.ndarray, data: Preferences) -> np.ndarray:
    """(2, n_small, n_small) what the answers say for two small clusters together, and apart.

    The query is doubtful, the choices are the surest of their clusters: so it is the choices' small
    clusters that an answer tells of. Where one choice was preferred, they are apart. Where neither
    was, both are like the query or both are not: more often than not they are together. A wrong
    choice between the two still says rightly that they are apart.

    Args:
        small: (n_texts,) int, the small cluster of each text.
    """
    n_small = int(small.max()) + 1
    votes = np.zeros((2, n_small, n_small))
    first, second = small[data.undecided[:, 1:].T]
    _add_votes(votes[0], first, second)
    _add_votes(votes[1], small[data.preferred], small[data.rejected])
    return votes


def _add_votes(votes: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    np.add.at(votes, (first, second), 1)
    np.add.at(votes, (second, first), 1)


def merge(
    points: np.ndarray,
    small: np.ndarray,
    n_clusters: int,
    votes: np.ndarray,
    settings: GuideSettings,
    *,
    should_stop: Stop | None = None,
) -> np.ndarray:
    """Merge the two clusters of least cost until `n_clusters` are left.

    The cost of a and b is (n_a n_b / (n_a + n_b))^evenness ‖μ_a − μ_b‖² exp(−weight · v), where
    v = (together − apart) / (together + apart + 6) are the votes between them, −1 to 1.

    Returns:
        (n_small,) int64, the cluster of each small one.
    """
    sizes = np.bincount(small).astype(float)
    n_small = len(sizes)
    centres = np.zeros((n_small, points.shape[1]))
    np.add.at(centres, small, points)
    centres /= sizes[:, None]
    votes = votes.copy()
    own, is_left = np.arange(n_small), np.ones(n_small, dtype=bool)

    def costs(one: int) -> np.ndarray:
        squares = np.square(centres - centres[one]).sum(axis=1)
        weights = (sizes * sizes[one] / (sizes + sizes[one])) ** settings.evenness
        together, apart = votes[:, one]
        said = (together - apart) / (together + apart + _DOUBT)
        found = weights * squares * np.exp(-settings.weight * said)
        found[~is_left] = np.inf
        found[one] = np.inf
        return found

    table = np.array([costs(one) for one in range(n_small)])
    for _ in range(n_small - n_clusters):
        if should_stop is not None and should_stop():
            raise Cancelled()
        one, other = divmod(int(table.argmin()), n_small)
        total = sizes[one] + sizes[other]
        centres[one] = (sizes[one] * centres[one] + sizes[other] * centres[other]) / total
        sizes[one] = total
        is_left[other] = False
        own[own == other] = one
        votes[:, one] += votes[:, other]
        votes[:, :, one] += votes[:, :, other]
        table[other] = table[:, other] = np.inf
        table[one] = table[:, one] = costs(one)
    return np.unique(own, return_inverse=True)[1].astype(np.int64)
