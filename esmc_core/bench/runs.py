"""Partitions of a collection, one a seed, kept on disk. Nothing here ever sees a true label."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.cluster.estimator import Matrix
from esmc_core.cluster.pipeline import make_estimator
from esmc_core.cluster.rows import count_distinct_rows
from esmc_core.records import key_of, write_bytes

_VERSION = 1
_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Run:
    """What one seed gives.

    Attributes:
        labels: (n_images,) int, the last epoch's, as the app shows them.
        before_head: (n_images,) int, K-means alone.
        argmax: (n_images,) int, the head's most probable class; empty unless it was watched.
        by_epoch: (n_epochs, n_images) int, `labels` if the head had stopped after each epoch;
            empty unless it was watched.
    """

    labels: np.ndarray
    before_head: np.ndarray
    argmax: np.ndarray
    by_epoch: np.ndarray


def run_seeds(
    folder: Path,
    rows: Callable[[], Matrix],
    settings: ClusterSettings,
    seeds: Sequence[int],
    *,
    watch: bool = False,
    on_run: Callable[[], None] | None = None,
    **source: Any,
) -> list[Run]:
    """Cluster the same rows once a seed; what was computed before is read from the disk.

    Args:
        folder: where the runs are kept.
        rows: gives (n_images, n_features) floats, sparse or dense; asked if a run is missing.
        settings: of the clustering; its seed is replaced.
        watch: also keep `argmax` and `by_epoch`.
        on_run: called after each run.
        source: what the rows are, for the name of the file that a run is kept in.
    """
    found = []
    matrix: Matrix | None = None
    for seed in seeds:
        own = replace(settings, seed=seed)
        path = folder / f"{key_of(settings=own, watch=watch, source=source, version=_VERSION)}.npz"
        run = load_run(path)
        if run is None:
            matrix = rows() if matrix is None else matrix
            run = make_run(matrix, own, watch=watch)
            save_run(path, run)
        found.append(run)
        if on_run is not None:
            on_run()
    return found


def make_run(matrix: Matrix, settings: ClusterSettings, *, watch: bool = False) -> Run:
    """Cluster (n_images, n_features) rows by the settings' seed.

    Where there are fewer different rows than clusters, each different row is a cluster.
    """
    n_images = matrix.shape[0]
    if count_distinct_rows(matrix, settings.n_clusters) < settings.n_clusters:
        labels = _number_rows(matrix)
        return Run(labels, labels, labels, labels[None])
    argmax, by_epoch = np.zeros(0, np.int64), np.zeros((settings.epochs, n_images), np.uint16)

    def look(epoch: int, outputs: np.ndarray, labels: np.ndarray) -> None:
        nonlocal argmax
        by_epoch[epoch - 1] = labels
        argmax = outputs.argmax(axis=1)

    found = make_estimator(settings).fit(matrix, on_epoch=look if watch else None)
    kept = by_epoch if watch else by_epoch[:0]
    return Run(found.labels_, found.kmeans_labels_, argmax, kept)


def save_run(path: Path, run: Run) -> None:
    """Write a run; a reader sees all of it or nothing."""
    content = io.BytesIO()
    arrays = {name: array.astype(np.uint16) for name, array in vars(run).items()}
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getvalue())


def load_run(path: Path) -> Run | None:
    """Read a run; None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Run(**{name: arrays[name].astype(np.int64) for name in Run.__annotations__})
    except _DAMAGE:
        return None


def load_array(path: Path) -> np.ndarray | None:
    """Read a .npy file; None if it is missing or damaged."""
    try:
        return np.load(path, allow_pickle=False)
    except _DAMAGE:
        return None


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file; a reader sees all of it or nothing."""
    content = io.BytesIO()
    np.save(content, array)
    write_bytes(path, content.getvalue())


def _number_rows(matrix: Matrix) -> np.ndarray:
    """(n_images,) the same number for the same row; for few different ones."""
    if scipy.sparse.issparse(matrix):
        matrix = scipy.sparse.csr_matrix(matrix)
        matrix = matrix[:, np.unique(matrix.indices)].toarray()
    return np.unique(matrix, axis=0, return_inverse=True)[1].ravel().astype(np.int64)
