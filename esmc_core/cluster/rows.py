"""Rows of numbers on a torch device, sparse or dense, with what K-means needs of them.

The lens leaves some 50 non-zeros in a row of 32,000, so a product with a centroid is a gather of
50 numbers. `torch.nn.functional.embedding_bag` with weights does exactly that without building
the gathered rows (on two cores twelve times faster than indexing, and as fast as sparse CSR).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import scipy.sparse
import torch
from torch.nn.functional import embedding_bag, one_hot


class Rows(Protocol):
    """What the algorithms of this package ask of their input; d = n_columns."""

    @property
    def n_rows(self) -> int: ...

    @property
    def n_columns(self) -> int: ...

    @property
    def n_features(self) -> int:
        """Width of the space the rows came from; at least n_columns."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def mean_variance(self) -> float:
        """The variance of a column, averaged over all n_features columns."""
        ...

    def squared_distances(self, centroids: torch.Tensor) -> torch.Tensor:
        """(n_rows, n_clusters) squared Euclidean distances to (n_clusters, d) centroids."""
        ...

    def centroids(self, labels: torch.Tensor, n_clusters: int) -> torch.Tensor:
        """(n_clusters, d) means of the rows of each cluster; zeros for an empty one."""
        ...

    def dense(self, rows: torch.Tensor) -> torch.Tensor:
        """(len(rows), d) some rows, written out."""
        ...

    def take(self, rows: torch.Tensor) -> Rows:
        """Some rows, on the same columns."""
        ...

    def expand(self, centroids: torch.Tensor) -> np.ndarray:
        """(n_clusters, n_features) float32 centroids in the space the rows came from."""
        ...


@dataclass(frozen=True)
class SparseRows:
    """Sparse rows, padded to the same number of entries.

    Attributes:
        indices: (n_rows, k) int32, columns of the entries, each at most once in a row (but for
            padding, which is column 0 with the value 0).
        values: (n_rows, k) float32.
        n_columns: number of columns that occur; `indices` are below it.
        columns: (n_columns,) int64, what each column was called in the original space.
        n_features: width of the original space.
    """

    indices: torch.Tensor
    values: torch.Tensor
    n_columns: int
    columns: torch.Tensor
    n_features: int

    @classmethod
    def from_csr(cls, matrix: scipy.sparse.csr_matrix, *, device: str = "cpu") -> SparseRows:
        """Pad a CSR matrix, and number anew the columns that occur in it."""
        matrix = _canonical(matrix)
        columns, compressed = _columns_in_use(matrix)
        return cls.padded(matrix.indptr, compressed, matrix.data, columns, matrix.shape[1], device)

    @classmethod
    def padded(
        cls,
        indptr: np.ndarray,
        indices: np.ndarray,
        values: np.ndarray,
        columns: np.ndarray,
        n_features: int,
        device: str,
    ) -> SparseRows:
        """The parts of a CSR matrix whose `indices` are numbers among `columns`."""
        counts = np.diff(indptr)
        filled = np.arange(max(int(counts.max(initial=0)), 1)) < counts[:, None]
        numbers = np.zeros(filled.shape, dtype=np.int32)
        entries = np.zeros(filled.shape, dtype=np.float32)
        numbers[filled], entries[filled] = indices, values
        return cls(
            torch.from_numpy(numbers).to(device),
            torch.from_numpy(entries).to(device),
            len(columns),
            torch.from_numpy(columns).to(device),
            n_features,
        )

    @property
    def n_rows(self) -> int:
        return len(self.indices)

    @property
    def device(self) -> torch.device:
        return self.values.device

    @cached_property
    def squared_norms(self) -> torch.Tensor:
        """(n_rows,)"""
        return self.values.square().sum(dim=1)

    @cached_property
    def mean_variance(self) -> float:
        mean = self.column_sums(self.values.new_ones(self.n_rows, 1)) / self.n_rows
        total = self.squared_norms.double().mean() - mean.double().square().sum()
        return float(total) / self.n_features

    def dot(self, vectors: torch.Tensor) -> torch.Tensor:
        """(n_rows, m) products with m dense vectors, (m, n_columns)."""
        table = vectors.T.contiguous()
        return embedding_bag(self.indices, table, per_sample_weights=self.values, mode="sum")

    def squared_distances(self, centroids: torch.Tensor) -> torch.Tensor:
        squares = self.squared_norms[:, None] + centroids.square().sum(dim=1)
        return squares.sub_(self.dot(centroids), alpha=2).clamp_(min=0)

    def centroids(self, labels: torch.Tensor, n_clusters: int) -> torch.Tensor:
        members = one_hot(labels, n_clusters).to(self.values.dtype)
        counts = members.sum(dim=0).clamp(min=1)
        return (self.column_sums(members) / counts).T.contiguous()

    def dense(self, rows: torch.Tensor) -> torch.Tensor:
        written = self.values.new_zeros(len(rows), self.n_columns)
        return written.scatter_add_(1, self.indices[rows].long(), self.values[rows])

    def take(self, rows: torch.Tensor) -> SparseRows:
        return SparseRows(
            self.indices[rows], self.values[rows], self.n_columns, self.columns, self.n_features
        )

    def most_frequent(self, n_wanted: int) -> torch.Tensor | None:
        """(n_wanted,) int64, the columns that have the most entries, ascending.

        None where no more columns than that occur.
        """
        if self.n_columns <= n_wanted:
            return None
        counts = torch.bincount(self.indices[self.values != 0], minlength=self.n_columns)
        if int((counts > 0).sum()) <= n_wanted:
            return None
        return counts.sort(descending=True, stable=True).indices[:n_wanted].sort().values

    def on(self, columns: torch.Tensor) -> SparseRows:
        """The rows on some of their columns, (n_kept,) int64; what stands in others is left out."""
        number = torch.full((self.n_columns,), -1, dtype=torch.int32, device=self.device)
        number[columns] = torch.arange(len(columns), dtype=torch.int32, device=self.device)
        indices = number[self.indices]
        values = self.values.masked_fill(indices < 0, 0.0)
        kept = self.columns[columns]
        return SparseRows(indices.clamp_(min=0), values, len(columns), kept, self.n_features)

    def compressed(self) -> tuple[SparseRows, torch.Tensor]:
        """The same rows on the columns that occur in them, and which of the columns those are."""
        used, indices = self.indices[self.values != 0].unique(return_inverse=True)
        compressed = torch.zeros_like(self.indices)
        compressed[self.values != 0] = indices.int()
        columns = self.columns[used]
        rows = SparseRows(compressed, self.values, len(used), columns, self.n_features)
        return rows, used

    def expand(self, centroids: torch.Tensor) -> np.ndarray:
        wide = np.zeros((len(centroids), self.n_features), dtype=np.float32)
        wide[:, self.columns.cpu().numpy()] = centroids.cpu().numpy()
        return wide

    @cached_property
    def _by_column(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The entries sorted by column: their rows, their values, where each column starts."""
        if self.device.type == "cpu":  # SciPy counts, in a fifth of the time of torch's sort
            bounds = np.arange(0, self.indices.numel() + 1, self.indices.shape[1])
            parts = (self.values.numpy().ravel(), self.indices.numpy().ravel(), bounds)
            matrix = scipy.sparse.csr_array(parts, (self.n_rows, self.n_columns)).tocsc()
            matrix.eliminate_zeros()
            return (
                torch.from_numpy(matrix.indices),
                torch.from_numpy(matrix.data),
                torch.from_numpy(matrix.indptr[:-1]),
            )
        entries = (self.values != 0).flatten().nonzero().squeeze(1)
        columns, order = self.indices.flatten()[entries].sort(stable=True)
        entries = entries[order]
        ends = torch.bincount(columns, minlength=self.n_columns).cumsum(0)
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        width = self.indices.shape[1]
        return entries.div(width, rounding_mode="floor"), self.values.flatten()[entries], starts

    def column_sums(self, weights: torch.Tensor) -> torch.Tensor:
        """(n_columns, m): for each column the sum of its entries, weighted by (n_rows, m)."""
        # A bag a column, not index_add: on a GPU that one adds in a different order every time.
        rows, values, starts = self._by_column
        return embedding_bag(rows, weights, starts, per_sample_weights=values, mode="sum")


@dataclass(frozen=True)
class DenseRows:
    """Dense rows, kept relative to their mean so that large offsets do not eat the precision.

    Attributes:
        offsets: (n_rows, n_columns) float32, the rows minus `mean`.
        mean: (n_columns,) float32.
    """

    offsets: torch.Tensor
    mean: torch.Tensor

    @classmethod
    def from_array(cls, array: np.ndarray, *, device: str = "cpu") -> DenseRows:
        values = torch.from_numpy(np.array(array, dtype=np.float32)).to(device)
        mean = values.mean(dim=0)
        return cls(values.sub_(mean), mean)

    @property
    def n_rows(self) -> int:
        return len(self.offsets)

    @property
    def n_columns(self) -> int:
        return self.offsets.shape[1]

    @property
    def n_features(self) -> int:
        return self.n_columns

    @property
    def device(self) -> torch.device:
        return self.offsets.device

    @cached_property
    def squared_norms(self) -> torch.Tensor:
        """(n_rows,), of the offsets."""
        return self.offsets.square().sum(dim=1)

    @cached_property
    def mean_variance(self) -> float:
        return float(self.squared_norms.double().mean()) / self.n_columns

    def squared_distances(self, centroids: torch.Tensor) -> torch.Tensor:
        relative = centroids - self.mean
        squares = self.squared_norms[:, None] + relative.square().sum(dim=1)
        return squares.sub_(self.offsets @ relative.T, alpha=2).clamp_(min=0)

    def centroids(self, labels: torch.Tensor, n_clusters: int) -> torch.Tensor:
        members = one_hot(labels, n_clusters).to(self.offsets.dtype)
        counts = members.sum(dim=0).clamp(min=1)
        return (members.T @ self.offsets) / counts[:, None] + self.mean

    def dense(self, rows: torch.Tensor) -> torch.Tensor:
        return self.offsets[rows] + self.mean

    def take(self, rows: torch.Tensor) -> DenseRows:
        return DenseRows(self.offsets[rows], self.mean)

    def expand(self, centroids: torch.Tensor) -> np.ndarray:
        return centroids.cpu().numpy()


def rows_of(matrix: scipy.sparse.spmatrix | np.ndarray, *, device: str = "cpu") -> Rows:
    """Rows of a (n_rows, n_features) matrix on a device: sparse stays sparse.

    An Apple GPU ("mps") knows neither weighted bags nor double precision: the CPU is used instead.
    """
    device = "cpu" if device.startswith("mps") else device
    if scipy.sparse.issparse(matrix):
        return SparseRows.from_csr(scipy.sparse.csr_matrix(matrix), device=device)
    return DenseRows.from_array(np.asarray(matrix), device=device)


def count_distinct_rows(matrix: scipy.sparse.spmatrix | np.ndarray, n_wanted: int) -> int:
    """How many different rows there are, counted only until `n_wanted` are found."""
    seen: set[bytes] = set()
    sparse = _canonical(matrix) if scipy.sparse.issparse(matrix) else None
    for row in range(matrix.shape[0]):
        if sparse is not None:
            entries = slice(sparse.indptr[row], sparse.indptr[row + 1])
            seen.add(sparse.indices[entries].tobytes() + sparse.data[entries].tobytes())
        else:
            seen.add((np.asarray(matrix[row], dtype=np.float32) + 0.0).tobytes())
        if len(seen) >= n_wanted:
            break
    return len(seen)


def _canonical(matrix: scipy.sparse.spmatrix) -> scipy.sparse.csr_matrix:
    """The matrix in float32, each entry once, in order and not zero; the same one if it is so."""
    matrix = scipy.sparse.csr_matrix(matrix, dtype=np.float32)
    if matrix.has_canonical_format and matrix.data.all():
        return matrix
    matrix = matrix.copy()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _columns_in_use(matrix: scipy.sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """The columns that occur, ascending, and the matrix's indices in terms of them."""
    occurs = np.zeros(matrix.shape[1], dtype=bool)
    occurs[matrix.indices] = True
    columns = np.flatnonzero(occurs)
    if not len(columns):
        return np.zeros(1, dtype=np.int64), matrix.indices
    return columns, (np.cumsum(occurs, dtype=np.int32) - 1)[matrix.indices]
