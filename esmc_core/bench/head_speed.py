"""K-means and head on the vocabulary, as the app does it and as the paper's procedure does it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch
from sklearn.metrics import adjusted_rand_score
from torch import nn

from esmc_core.bench import paper
from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.cluster.estimator import ESMCClustering, cluster_outputs
from esmc_core.cluster.head import Head, SparseLinear, train_head
from esmc_core.cluster.kmeans import choose_starts, refine
from esmc_core.cluster.pseudo_labels import choose_pseudo_labels
from esmc_core.cluster.rows import SparseRows
from esmc_core.threads import threads_for

TURNS = 5
_ROWS_AT_ONCE = 1_000

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class HeadTask:
    """How much there is to cluster; the defaults are a paper's data set."""

    n_rows: int = 1_000
    n_vocab: int = 32_000
    n_clusters: int = 10
    epochs: int = paper.EPOCHS
    n_entries: int = 50


def measure_head(task: HeadTask, *, device: str, progress: Progress) -> dict[str, Any]:
    """Seconds of both from the same start, and how far their labels agree.

    They take turns: an epoch of the paper's, all of ours. The best turn of each counts, that of the
    paper's for all of its epochs. Its labels come from all of them, but on the columns that occur:
    the others are 0 in every row, and change nothing.

    Args:
        progress: called with the turns done, and those in all.

    Returns:
        `head_s`, `head_paper_s`, `head_vs_paper` (how many times faster), `head_paper_epochs` (how
        many were timed), `head_same_labels` (up to permutation), `head_agreement` (adjusted Rand
        index), `head_app_s` (as the app clusters, with its ten starts).
    """
    settings = ClusterSettings(task.n_clusters)
    matrix = made_up_rows(task)
    rows = SparseRows.from_csr(matrix, device=device)
    starts = choose_starts(rows, task.n_clusters, generator=torch.Generator().manual_seed(0))
    centroids, columns = rows.expand(rows.dense(starts)), rows.columns.cpu().numpy()
    drawn = Head.drawn(rows, task.n_clusters)
    learning: dict[str, Any] = {"alpha": settings.alpha, "learning_rate": settings.learning_rate}
    wide = paper.cluster(
        matrix.toarray(), centroids, _dense_head(drawn, rows.columns, task.n_vocab), **learning
    )
    paper_s, ours_s, app_s = [], [], []
    for turn in range(TURNS):
        paper_s.append(_timed(lambda: next(wide))[0])
        with threads_for(task.n_rows):
            spent_s, ours = _timed(lambda: _ours(matrix, starts, settings, task, device))
        ours_s.append(spent_s)
        app_s.append(_timed(lambda: ESMCClustering(task.n_clusters, device=device).fit(matrix))[0])
        progress(turn + 1, TURNS)
    *_, theirs = paper.cluster(
        matrix[:, columns].toarray(),
        centroids[:, columns],
        _dense_head(drawn, torch.arange(len(columns)), len(columns)),
        epochs=task.epochs,
        n_whole=1,
        **learning,
    )
    agreement = float(adjusted_rand_score(theirs, ours))
    return {
        "head_vs_paper": task.epochs * min(paper_s) / min(ours_s),
        "head_s": min(ours_s),
        "head_paper_s": task.epochs * min(paper_s),
        "head_paper_epochs": TURNS,
        "head_app_s": min(app_s),
        "head_same_labels": agreement == 1.0,
        "head_agreement": agreement,
    }


def made_up_rows(task: HeadTask, *, seed: int = 0) -> scipy.sparse.csr_matrix:
    """(n_rows, n_vocab) float32, each with n_entries words: √p, as at a cell of the lens.

    Each cluster has a few words of its own; the others are drawn by Zipf's law.
    """
    rng = np.random.default_rng(seed)
    n_own = min(5, task.n_entries)
    truth = np.arange(task.n_rows) % task.n_clusters
    own = rng.choice(task.n_vocab, (task.n_clusters, n_own), replace=False)
    rarity = np.arange(1, task.n_vocab + 1, dtype=np.float32) ** 1.2
    columns = np.empty((task.n_rows, task.n_entries), np.int64)
    for start in range(0, task.n_rows, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        # The smallest of such numbers are a draw without replacement.
        keys = rng.standard_exponential((len(truth[rows]), task.n_vocab), np.float32) * rarity
        np.put_along_axis(keys, own[truth[rows]], -1, axis=1)
        columns[rows] = np.argpartition(keys, task.n_entries, axis=1)[:, : task.n_entries]
    is_own = (columns[:, :, None] == own[truth][:, None, :]).any(axis=2)
    mass = rng.gamma(0.5, size=columns.shape) * np.where(is_own, 10, 1)
    mass /= mass.sum(axis=1, keepdims=True)
    entries = (np.sqrt(mass).ravel(), columns.ravel())
    indptr = np.arange(0, task.n_rows * task.n_entries + 1, task.n_entries)
    shape = (task.n_rows, task.n_vocab)
    return scipy.sparse.csr_matrix((*entries, indptr), shape=shape, dtype=np.float32)


def _ours(
    matrix: scipy.sparse.csr_matrix,
    starts: torch.Tensor,
    settings: ClusterSettings,
    task: HeadTask,
    device: str,
) -> np.ndarray:
    """The estimator's steps from given rows to start at; (n_rows,) labels."""
    rows = SparseRows.from_csr(matrix, device=device)
    found = refine(rows, rows.dense(starts))
    chosen = choose_pseudo_labels(
        found.labels.cpu().numpy(), found.squared_distances.cpu().numpy(), alpha=settings.alpha
    )
    pseudo = torch.from_numpy(chosen).to(rows.device)
    head = train_head(
        rows,
        pseudo,
        task.n_clusters,
        epochs=task.epochs,
        learning_rate=settings.learning_rate,
    )
    return cluster_outputs(head.outputs(rows), pseudo, task.n_clusters).cpu().numpy()


def _dense_head(drawn: Head, columns: torch.Tensor, width: int) -> nn.Sequential:
    """The dense form of a head: its first weights stand in some columns of that many."""
    assert isinstance(drawn.first, SparseLinear)
    first, second = drawn.first, copy.deepcopy(drawn.second)
    wide = nn.Linear(width, first.bias.shape[0]).to(first.bias.device)
    with torch.no_grad():
        wide.weight[:, columns] = first.weight.T
        wide.bias.copy_(first.bias)
    return nn.Sequential(wide, nn.ReLU(), second)


def _timed(work: Any) -> tuple[float, Any]:
    start_s = time.perf_counter()
    result = work()
    return time.perf_counter() - start_s, result
