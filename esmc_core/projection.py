"""The images on a plane: UMAP of the rows that were clustered.

UMAP is compiled when it first runs in a process, which takes much longer than the run. Given the
exact nearest neighbours it does not compile its own approximate search, the larger part of that.

Of many images it lays out a random sample, and each of the others goes where the nearest of the
sample lie: the time for UMAP itself does not grow.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from esmc_core.errors import Cancelled, InputError
from esmc_core.threads import threads_for

N_NEIGHBORS = 15
SAMPLE_SIZE = 10_000
"""Images that UMAP lays out; of more it lays out a sample."""

_MIN_IMAGES = 5  # fewer make no neighbourhood graph worth the name
_N_COMPONENTS = 50
_N_PLACING = 5  # of the sample, that say where another image goes
_BLOCK = 1_000  # rows that are compared with all others at a time
_LONG_RUN_IMAGES = 2_000
_COMPARED_IN_EPOCH = 300  # so many comparisons take as long as an epoch of an image
Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

# One at a time: umap-learn compiles and runs under numba's threads, which may not be re-entered.
_LOCK = threading.Lock()


def project(
    matrix: Any,
    *,
    n_neighbors: int = N_NEIGHBORS,
    min_dist: float = 0.1,
    seed: int = 0,
    init: np.ndarray | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> np.ndarray:
    """Lay out the rows on a plane, near ones (Euclidean) near each other.

    The same input and seed give the same layout.

    Args:
        matrix: (n_images, n_features), dense or sparse.
        n_neighbors: size of a neighbourhood; lowered where there are fewer images.
        init: (n_images, 2) an earlier layout to start from, so that images stay where they were;
            rows of NaN start in the middle.
        progress: called with how much is done, and of how much: epochs of an image, and
            comparisons of two images at what they usually take.

    Returns:
        (n_images, 2) float32.

    Raises:
        InputError: `init` has another number of images, or a number is not finite.
        Cancelled: `should_stop` said so.
    """
    n_images = matrix.shape[0]
    if init is not None and init.shape != (n_images, 2):
        raise InputError(
            f"An earlier layout of {len(init)} images does not fit {n_images}.", "Start anew."
        )
    values = matrix.data if scipy.sparse.issparse(matrix) else matrix
    if not np.isfinite(values).all():
        raise InputError("Some of the numbers to draw are not finite.", "Run the model again.")
    if n_images < _MIN_IMAGES:
        return _circle(n_images)
    report = _Report(n_images, progress, should_stop)
    lay_out = _fit if n_images <= SAMPLE_SIZE else _fit_sample
    start = None if init is None else _filled(init)
    with _LOCK:
        return lay_out(
            matrix, start, n_neighbors=n_neighbors, min_dist=min_dist, seed=seed, report=report
        )


def warm_up() -> None:
    """Compile what `project` needs, so that its next call in this process is fast.

    Takes some ten seconds of one core; meant for a background thread.
    """
    rng = np.random.default_rng(0)
    project(scipy.sparse.csr_matrix(rng.random((64, 8), dtype=np.float32)))


class _Report(io.StringIO):
    """What UMAP writes its progress bar to: tells it on, and stops UMAP when told to."""

    def __init__(
        self, n_images: int, progress: Progress | None, should_stop: ShouldStop | None
    ) -> None:
        super().__init__()
        self._progress, self._should_stop = progress, should_stop
        n_laid_out = min(n_images, SAMPLE_SIZE)
        n_compared = n_laid_out**2 + (n_images * n_laid_out if n_images > n_laid_out else 0)
        self._n_laid_out, self._compared = n_laid_out, 0
        self._total = n_compared // _COMPARED_IN_EPOCH + n_laid_out * _epochs(n_laid_out)

    def add_compared(self, n_pairs: int) -> None:
        """So many more pairs of images have been compared."""
        self.check()
        self._compared += n_pairs
        self._tell(0)

    def write(self, text: str) -> int:
        self.check()
        done, _, total = text.strip().partition("/")
        if total:
            self._tell(int(done))
        return len(text)

    def _tell(self, epochs: int) -> None:
        if self._progress is not None:
            done = self._compared // _COMPARED_IN_EPOCH + self._n_laid_out * epochs
            self._progress(done, self._total)

    def check(self) -> None:
        """Raise Cancelled if the work is to stop."""
        if self._should_stop is not None and self._should_stop():
            raise Cancelled()


def _fit_sample(
    matrix: Any, start: np.ndarray | None, *, seed: int, report: _Report, **options: Any
) -> np.ndarray:
    """Lay out a sample, and put the others among their nearest neighbours in it."""
    n_images = matrix.shape[0]
    chosen = np.random.default_rng(seed).choice(n_images, SAMPLE_SIZE, replace=False)
    chosen.sort()
    rows = _main_components(matrix, _N_COMPONENTS, seed=seed, sample=chosen)
    nearest, distances = _neighbours(rows, rows[chosen], _N_PLACING, report)
    some = None if start is None else start[chosen]
    layout = _fit(rows[chosen], some, seed=seed, report=report, **options)
    beyond = distances - distances[:, :1]
    weights = np.exp(-beyond / np.maximum(beyond.mean(axis=1, keepdims=True), 1e-9))
    weights /= weights.sum(axis=1, keepdims=True)
    placed = np.einsum("nk,nkd->nd", weights, layout[nearest])
    placed[chosen] = layout
    return placed.astype(np.float32)


def _fit(
    matrix: Any,
    start: np.ndarray | None,
    *,
    n_neighbors: int,
    min_dist: float,
    seed: int,
    report: _Report,
) -> np.ndarray:
    n_images = matrix.shape[0]
    start = _main_components(matrix, 2, seed=seed) if start is None else start
    n_neighbors = min(n_neighbors, n_images - 1)
    neighbours = _self_first(*_neighbours(matrix, matrix, n_neighbors, report))
    import umap

    with warnings.catch_warnings():
        # That a seed rules out threads, and that known neighbours rule out `transform`.
        warnings.simplefilter("ignore", UserWarning)
        layout = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            n_epochs=_epochs(n_images),
            init=_spread(start, seed),
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(*neighbours, None),
            force_approximation_algorithm=True,
            tqdm_kwds={"disable": False, "file": report, "bar_format": "{n_fmt}/{total_fmt}"},
        ).fit_transform(start)  # the neighbours say all; the rows themselves are not looked at
    return np.asarray(layout, dtype=np.float32)


def _epochs(n_images: int) -> int:
    return 500 if n_images <= _LONG_RUN_IMAGES else 200


def _neighbours(
    rows: Any, known: Any, n_neighbors: int, report: _Report
) -> tuple[np.ndarray, np.ndarray]:
    """(n_rows, n_neighbors) int32 nearest of the known rows, and their float32 distances."""
    from sklearn.neighbors import NearestNeighbors

    n_rows = rows.shape[0]
    search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(known)
    indices = np.empty((n_rows, n_neighbors), dtype=np.int32)
    distances = np.empty((n_rows, n_neighbors), dtype=np.float32)
    with threads_for(n_rows):
        for at in range(0, n_rows, _BLOCK):
            report.check()
            block = slice(at, at + _BLOCK)
            distances[block], indices[block] = search.kneighbors(rows[block])
            report.add_compared(len(indices[block]) * known.shape[0])
    return indices, distances


def _self_first(indices: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UMAP takes the first neighbour for the row itself; among equal rows it may not be."""
    own = np.arange(len(indices))
    at = np.where(indices == own[:, None], np.arange(indices.shape[1]), 0).max(axis=1)
    indices[own, at], distances[own, at] = indices[:, 0], distances[:, 0]
    indices[:, 0], distances[:, 0] = own, 0.0
    return indices, distances


def _main_components(
    matrix: Any, n_components: int, *, seed: int, sample: np.ndarray | None = None
) -> np.ndarray:
    """(n_images, n_components) float32 principal components; zeros where there are fewer.

    Args:
        sample: rows whose main components they are; all if None.
    """
    from sklearn.decomposition import PCA

    known = matrix if sample is None else matrix[sample]
    possible = min(*known.shape, n_components + 1) - 1
    found = np.zeros((matrix.shape[0], n_components), dtype=np.float32)
    if possible > 0 and _varies(known):
        solver = "arpack" if scipy.sparse.issparse(matrix) else "randomized"
        components = PCA(possible, svd_solver=solver, random_state=seed).fit(known)
        found[:, :possible] = components.transform(matrix)
    return found


def _varies(matrix: Any) -> bool:
    if scipy.sparse.issparse(matrix):
        return (matrix.max(axis=0) != matrix.min(axis=0)).nnz > 0
    return bool(np.ptp(matrix, axis=0).any())


def _filled(init: np.ndarray) -> np.ndarray:
    known = init[~np.isnan(init).any(axis=1)]
    middle = known.mean(axis=0) if len(known) else np.zeros(2)
    return np.where(np.isnan(init), middle, init).astype(np.float32)


def _spread(start: np.ndarray, seed: int) -> np.ndarray:
    """`start` with noise in place of a direction in which all images lie at the same spot."""
    noise = np.random.default_rng(seed).random(start.shape, dtype=np.float32)
    return np.where(np.ptp(start, axis=0) > 0, start, noise)


def _circle(n_images: int) -> np.ndarray:
    """(n_images, 2): a handful of images evenly on a circle, a single one in the middle."""
    if n_images == 1:
        return np.zeros((1, 2), dtype=np.float32)
    angles = 2 * np.pi * np.arange(n_images) / max(n_images, 1)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
