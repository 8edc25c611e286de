"""The images on a plane: UMAP of the rows that were clustered.

UMAP is compiled when it first runs in a process, which takes much longer than the run. Given the
exact nearest neighbours it does not compile its own approximate search, the larger part of that.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import scipy.sparse

from esmc_core.cluster.threads import threads_for
from esmc_core.errors import InputError

N_NEIGHBORS = 15
_MIN_IMAGES = 5  # fewer make no neighbourhood graph worth the name
_EXACT_IMAGES = 20_000  # above, exact neighbours are sought among the main components
_N_COMPONENTS = 50
_LONG_RUN_IMAGES = 2_000
# One at a time: umap-learn compiles and runs under numba's threads, which may not be re-entered.
_LOCK = threading.Lock()


def project(
    matrix: Any,
    *,
    n_neighbors: int = N_NEIGHBORS,
    min_dist: float = 0.1,
    seed: int = 0,
    init: np.ndarray | None = None,
) -> np.ndarray:
    """Lay out the rows on a plane, near ones (Euclidean) near each other.

    On rows of √p the distance is Hellinger's. The same input and seed give the same layout.

    Args:
        matrix: (n_images, n_features), dense or sparse.
        n_neighbors: size of a neighbourhood; lowered where there are fewer images.
        init: (n_images, 2) an earlier layout to start from, so that images stay where they were;
            rows of NaN start in the middle.

    Returns:
        (n_images, 2) float32.

    Raises:
        InputError: `init` has another number of images, or a number is not finite.
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
    start = _main_components(matrix, 2, seed=seed) if init is None else _filled(init)
    with _LOCK:
        return _fit(matrix, start, n_neighbors=n_neighbors, min_dist=min_dist, seed=seed)


def warm_up() -> None:
    """Compile what `project` needs, so that its next call in this process is fast.

    Takes some ten seconds of one core; meant for a background thread.
    """
    rng = np.random.default_rng(0)
    project(scipy.sparse.csr_matrix(rng.random((64, 8), dtype=np.float32)))


def _fit(
    matrix: Any, start: np.ndarray, *, n_neighbors: int, min_dist: float, seed: int
) -> np.ndarray:
    import umap

    n_images = matrix.shape[0]
    if n_images > _EXACT_IMAGES and matrix.shape[1] > _N_COMPONENTS:
        matrix = _main_components(matrix, _N_COMPONENTS, seed=seed)
    n_neighbors = min(n_neighbors, n_images - 1)
    with warnings.catch_warnings():
        # That a seed rules out threads, and that known neighbours rule out `transform`.
        warnings.simplefilter("ignore", UserWarning)
        layout = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            n_epochs=500 if n_images <= _LONG_RUN_IMAGES else 200,
            init=_spread(start, seed),
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(*_neighbours(matrix, n_neighbors), None),
            force_approximation_algorithm=True,
        ).fit_transform(start)  # the neighbours say all; the rows themselves are not looked at
    return np.asarray(layout, dtype=np.float32)


def _neighbours(matrix: Any, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """(n_images, n_neighbors) int32 nearest rows, itself first, and their float32 distances."""
    from sklearn.neighbors import NearestNeighbors

    with threads_for(matrix.shape[0]):
        search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(matrix)
        distances, indices = search.kneighbors(matrix)
    return _self_first(indices.astype(np.int32), distances.astype(np.float32))


def _self_first(indices: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UMAP takes the first neighbour for the row itself; among equal rows it may not be."""
    own = np.arange(len(indices))
    at = np.where(indices == own[:, None], np.arange(indices.shape[1]), 0).max(axis=1)
    indices[own, at], distances[own, at] = indices[:, 0], distances[:, 0]
    indices[:, 0], distances[:, 0] = own, 0.0
    return indices, distances


def _main_components(matrix: Any, n_components: int, *, seed: int) -> np.ndarray:
    """(n_images, n_components) float32 principal components; zeros where there are fewer."""
    from sklearn.decomposition import PCA

    possible = min(*matrix.shape, n_components + 1) - 1
    found = np.zeros((matrix.shape[0], n_components), dtype=np.float32)
    if possible > 0 and _varies(matrix):
        solver = "arpack" if scipy.sparse.issparse(matrix) else "randomized"
        components = PCA(possible, svd_solver=solver, random_state=seed).fit_transform(matrix)
        found[:, :possible] = components
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
