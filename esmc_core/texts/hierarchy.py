"""A hierarchy over the embeddings: every number of clusters at once."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from esmc_core.errors import InputError
from esmc_core.records import write_bytes
from esmc_core.threads import threads_for

_AGGLOMERATIVE_TEXTS = 5_000
MAX_CLUSTERS = 200


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Leaves that are merged two by two (Ward).

    Attributes:
        leaves: (n_texts,) int64, the leaf of each text: itself in a small set, its cluster of
            MiniBatchKMeans(200) in a large one.
        children: (n_leaves − 1, 2) int64, what each merge joins; leaves come first in the
            numbering, then the merges in their order, as in scikit-learn.
    """

    leaves: np.ndarray
    children: np.ndarray

    @property
    def n_leaves(self) -> int:
        return len(self.children) + 1

    def labels(self, n_clusters: int) -> np.ndarray:
        """(n_texts,) int64, the partition in which `n_clusters` are left."""
        if not 1 <= n_clusters <= self.n_leaves:
            raise InputError(
                f"The hierarchy has no {n_clusters} clusters.", f"It has 1 to {self.n_leaves}."
            )
        parent = np.arange(2 * self.n_leaves - 1)
        for merge in range(self.n_leaves - n_clusters):
            parent[self.children[merge]] = self.n_leaves + merge
        while not np.array_equal(parent, parent[parent]):
            parent = parent[parent]
        return np.unique(parent[self.leaves], return_inverse=True)[1].astype(np.int64)

    def merged_at(self, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
        """The texts of the two clusters whose merge leaves n_clusters − 1."""
        first, second = self.children[self.n_leaves - n_clusters]
        return self._texts_of(int(first)), self._texts_of(int(second))

    def _texts_of(self, node: int) -> np.ndarray:
        found, open_nodes = [], [node]
        while open_nodes:
            node = open_nodes.pop()
            if node < self.n_leaves:
                found.append(node)
            else:
                open_nodes.extend(self.children[node - self.n_leaves].tolist())
        return np.flatnonzero(np.isin(self.leaves, found))


def build_hierarchy(embeddings: np.ndarray, *, seed: int = 0) -> Hierarchy:
    """Merge the texts bottom-up; a large set goes through MiniBatchKMeans(200) first.

    Args:
        embeddings: (n_texts, d) float.

    Raises:
        InputError: there are fewer than two texts.
    """
    from sklearn.cluster import AgglomerativeClustering, MiniBatchKMeans

    n_texts = len(embeddings)
    if n_texts < 2:
        raise InputError("One text has no hierarchy.", "Add some.")
    with threads_for(n_texts):
        if n_texts > _AGGLOMERATIVE_TEXTS:
            fine = MiniBatchKMeans(MAX_CLUSTERS, random_state=seed, n_init=3).fit(embeddings)
            found, leaves = np.unique(fine.labels_, return_inverse=True)
            points = fine.cluster_centers_[found]
        else:
            points, leaves = np.asarray(embeddings), np.arange(n_texts)
        if len(points) < 2:
            raise InputError("All texts are the same to the embedder.", "Add other texts.")
        tree = AgglomerativeClustering(n_clusters=None, distance_threshold=0).fit(points)
    return Hierarchy(leaves.astype(np.int64), tree.children_.astype(np.int64))


def save_hierarchy(path: Path, hierarchy: Hierarchy) -> None:
    """Write a hierarchy."""
    content = io.BytesIO()
    np.savez(content, leaves=hierarchy.leaves, children=hierarchy.children)
    write_bytes(path, content.getvalue())


def load_hierarchy(path: Path, n_texts: int) -> Hierarchy | None:
    """Read a hierarchy; None where it is missing, damaged or of other texts."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = Hierarchy(arrays["leaves"], arrays["children"])
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    return found if len(found.leaves) == n_texts else None
