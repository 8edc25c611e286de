"""ESMC's clustering of more rows than memory holds: the same four steps on a stream of chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse
import torch
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils import check_random_state

from esmc_core.cluster.estimator import ESMCClustering, Matrix, OnEpoch, Progress, check_matrix
from esmc_core.cluster.kmeans import fit_kmeans, refine
from esmc_core.cluster.large_head import LargeHead
from esmc_core.cluster.pseudo_labels import choose_pseudo_labels
from esmc_core.cluster.rows import DenseRows, rows_of
from esmc_core.cluster.streams import CHUNK_ROWS, RowStream, as_stream, first_rows
from esmc_core.errors import Cancelled

SAMPLE_ROWS = 20_000
"""Rows that K-means starts from."""

Chunks: TypeAlias = Iterator[tuple[slice, np.ndarray, scipy.sparse.csr_matrix]]


class LargeClustering(ESMCClustering):
    """`ESMCClustering` in memory that does not grow with the rows, but for some numbers each.

    K-means on a sample, carried on by mini-batch K-means over all rows; pseudo-labels; a head
    taught by mini-batches of the stream; labels from its outputs, whose K-means is made on the
    sample. It takes the same settings and gives the same attributes.
    """

    def fit(
        self,
        X: RowStream | Matrix,
        y: Any = None,
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> LargeClustering:
        """Cluster the rows of X.

        Args:
            X: (n_rows, n_features) a stream of chunks, or a matrix.
            progress: called with chunks done and chunks in all, over all steps.
            on_epoch: not called; the outputs of all rows do not fit.

        Raises:
            InputError: more clusters than (different) rows in the sample, NaN in it, a setting
                out of range.
            Cancelled: `should_stop` said so, asked at each chunk.
        """
        self._check_settings()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        stream = as_stream(X, seed=seed)
        self._progress, self._should_stop, self._n_read = progress, should_stop, 0
        sample = first_rows(stream, max(SAMPLE_ROWS, 20 * self.n_clusters))
        check_matrix(sample, self.n_clusters)
        centroids = self._find_centroids(stream, sample, seed)
        labels, confidence = self._assign(stream, centroids)
        pseudo = np.full(len(labels), -1)
        before = labels
        if self.use_head:
            pseudo = choose_pseudo_labels(labels, self._squares, alpha=self.alpha)
            labels, confidence = self._teach(stream, sample, pseudo, seed)
        del self._squares
        self._keep(stream, centroids, labels, confidence, before, pseudo)
        return self

    def _find_centroids(
        self, stream: RowStream, sample: scipy.sparse.csr_matrix, seed: int
    ) -> np.ndarray:
        """(n_clusters, n_features) float32, of K-means on the sample and then on all."""
        rows = rows_of(sample, device=self.device)
        start = fit_kmeans(rows, self.n_clusters, n_init=self.n_init, seed=seed)
        kmeans = MiniBatchKMeans(
            self.n_clusters,
            init=rows.expand(start.centroids),
            n_init=1,
            batch_size=CHUNK_ROWS,
            reassignment_ratio=0,
            random_state=seed,
        )
        for _, _, matrix in self._read(stream):
            kmeans.partial_fit(matrix)
        self.n_iter_ = int(kmeans.n_steps_)
        return kmeans.cluster_centers_.astype(np.float32)

    def _assign(self, stream: RowStream, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n_rows,) each row's nearest centroid, and how much farther the next one is."""
        labels = np.empty(stream.n_rows, dtype=np.int64)
        margins = np.ones(stream.n_rows, dtype=np.float32)
        self._squares = np.empty(stream.n_rows, dtype=np.float32)
        for place, _, matrix in self._read(stream):
            squares = squared_distances(matrix, centroids)
            labels[place] = squares.argmin(axis=1)
            self._squares[place] = squares.min(axis=1)
            if len(centroids) > 1:
                own, other = np.sqrt(np.partition(squares, 1, axis=1)[:, :2]).T
                margins[place] = np.where(other > 0, 1 - own / np.maximum(other, 1e-12), 0)
        self.inertia_ = float(self._squares.sum(dtype=np.float64))
        return labels, margins

    def _teach(
        self, stream: RowStream, sample: scipy.sparse.csr_matrix, pseudo: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(n_rows,) labels and confidence in the stream's order."""
        head = LargeHead(sample, self.n_clusters, seed=seed, device=self._torch_device())
        steps = head.learn(
            stream,
            pseudo,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
        )
        for _ in steps:
            self._check_stop()
        centres = self._output_centres(stream, sample, head, pseudo)
        labels = np.empty(stream.n_rows, dtype=np.int64)
        confidence = np.empty(stream.n_rows, dtype=np.float32)
        for place, _, matrix in self._read(stream):
            outputs = head.outputs(matrix)
            nearest = outputs if centres is None else -torch.cdist(outputs, centres)
            chosen = nearest.argmax(dim=1)
            labels[place] = chosen.cpu().numpy()
            share = outputs.softmax(dim=1).gather(1, chosen[:, None]).squeeze(1)
            confidence[place] = share.cpu().numpy()
        return labels, confidence

    def _output_centres(
        self,
        stream: RowStream,
        sample: scipy.sparse.csr_matrix,
        head: LargeHead,
        pseudo: np.ndarray,
    ) -> torch.Tensor | None:
        """(n_clusters, n_clusters) centres of the outputs, each started at its class's mean."""
        if self.labels_from != "head_kmeans":
            return None
        sums = torch.zeros(self.n_clusters, self.n_clusters, dtype=torch.float64)
        for place, _, matrix in self._read(stream):
            taught = pseudo[place] >= 0
            outputs = head.outputs(matrix[taught]).double().cpu()
            sums.index_add_(0, torch.from_numpy(pseudo[place][taught]), outputs)
        counts = np.bincount(pseudo[pseudo >= 0], minlength=self.n_clusters)
        start = sums / torch.from_numpy(counts).clamp(min=1)[:, None]
        outputs = head.outputs(sample)
        rows = DenseRows.from_array(outputs.cpu().numpy(), device=str(outputs.device))
        return refine(rows, start.float().to(outputs.device)).centroids

    def _keep(
        self,
        stream: RowStream,
        centroids: np.ndarray,
        labels: np.ndarray,
        confidence: np.ndarray,
        before: np.ndarray,
        pseudo: np.ndarray,
    ) -> None:
        """Number the clusters by size and store everything by row, not in the stream's order."""
        row_of = np.empty(stream.n_rows, dtype=np.int64)
        sizes = np.bincount(labels, minlength=self.n_clusters)
        sums = np.zeros(centroids.shape)
        for place, rows, matrix in self._read(stream):
            row_of[place] = rows
            summed = (_members(labels[place], self.n_clusters) @ matrix).tocoo()
            sums[summed.row, summed.col] += summed.data
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centroids)
        distances = np.empty(stream.n_rows, dtype=np.float32)
        for place, _, matrix in self._read(stream):
            squares = squared_distances(matrix, centres.astype(np.float32))
            own = np.take_along_axis(squares, labels[place][:, None], axis=1)
            distances[place] = np.sqrt(own[:, 0])
        first = np.full(self.n_clusters, stream.n_rows)
        np.minimum.at(first, labels, row_of)
        order = np.lexsort((first, -sizes))
        number = np.empty(self.n_clusters, dtype=np.int64)
        number[order] = np.arange(self.n_clusters)

        def by_row(values: np.ndarray) -> np.ndarray:
            found = np.empty_like(values)
            found[row_of] = values
            return found

        self.n_features_in_ = stream.n_features
        self.labels_ = by_row(number[labels])
        self.kmeans_labels_ = by_row(number[before])
        self.pseudo_labels_ = by_row(np.where(pseudo < 0, -1, number[pseudo]))
        self.cluster_centers_ = centres[order].astype(np.float32)
        self.distances_ = by_row(distances)
        self.confidence_ = by_row(np.clip(confidence, 0, 1))

    def _read(self, stream: RowStream) -> Chunks:
        """The chunks with their place in the stream."""
        n_chunks = -(-stream.n_rows // CHUNK_ROWS)
        n_rounds = 6 if self.use_head and self.labels_from == "head_kmeans" else 5
        n_all = n_chunks * (n_rounds if self.use_head else 4)
        start = 0
        for rows, matrix in stream.chunks():
            self._check_stop()
            yield slice(start, start + len(rows)), rows, matrix
            start += len(rows)
            self._n_read += 1
            if self._progress is not None:
                self._progress(min(self._n_read, n_all), n_all)

    def _check_stop(self) -> None:
        if self._should_stop is not None and self._should_stop():
            raise Cancelled()

    def _torch_device(self) -> str:
        return "cpu" if self.device.startswith("mps") else self.device


def squared_distances(matrix: scipy.sparse.csr_matrix, centroids: np.ndarray) -> np.ndarray:
    """(n_rows, n_clusters) float32 squared Euclidean distances."""
    rows = np.asarray(matrix.multiply(matrix).sum(axis=1)).reshape(-1, 1)
    squares = rows + np.square(centroids).sum(axis=1) - 2 * (matrix @ centroids.T)
    return np.maximum(squares, 0).astype(np.float32)


def _members(labels: np.ndarray, n_clusters: int) -> scipy.sparse.csr_matrix:
    """(n_clusters, n_rows) with a 1 where a row belongs to a cluster."""
    ones = np.ones(len(labels))
    return scipy.sparse.csr_matrix(
        (ones, (labels, np.arange(len(labels)))), (n_clusters, len(labels))
    )
