"""Rows that come in chunks, more of them than memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse

CHUNK_ROWS = 8_192
"""Some 10 MB of rows with 50 entries each, all copies that are made of them included."""


class RowStream(Protocol):
    """Rows in a random order, the same each time."""

    @property
    def n_rows(self) -> int: ...

    @property
    def n_features(self) -> int: ...

    def chunks(self) -> Iterator[tuple[np.ndarray, scipy.sparse.csr_matrix]]:
        """(chunk,) numbers of the next rows, and (chunk, n_features) float32 of them."""
        ...


@dataclass(frozen=True)
class MatrixStream:
    """A matrix that is in memory, sparse or dense, as a stream.

    Attributes:
        matrix: (n_rows, n_features).
        seed: of the order.
    """

    matrix: scipy.sparse.csr_matrix | np.ndarray
    seed: int = 0

    @property
    def n_rows(self) -> int:
        return self.matrix.shape[0]

    @property
    def n_features(self) -> int:
        return self.matrix.shape[1]

    def chunks(self) -> Iterator[tuple[np.ndarray, scipy.sparse.csr_matrix]]:
        order = np.random.default_rng(self.seed).permutation(self.n_rows)
        for start in range(0, self.n_rows, CHUNK_ROWS):
            rows = order[start : start + CHUNK_ROWS]
            yield rows, scipy.sparse.csr_matrix(self.matrix[rows], dtype=np.float32)


def as_stream(rows: RowStream | scipy.sparse.spmatrix | np.ndarray, *, seed: int = 0) -> RowStream:
    """The rows as a stream, if they are none."""
    if scipy.sparse.issparse(rows):
        return MatrixStream(scipy.sparse.csr_matrix(rows), seed)
    return MatrixStream(rows, seed) if isinstance(rows, np.ndarray) else rows


def first_rows(stream: RowStream, n_rows: int) -> scipy.sparse.csr_matrix:
    """(at most n_rows, n_features): the first rows of a stream, a random sample of all."""
    parts, n_found = [], 0
    for _, matrix in stream.chunks():
        parts.append(matrix[: n_rows - n_found])
        n_found += parts[-1].shape[0]
        if n_found >= n_rows:
            break
    return scipy.sparse.vstack(parts, format="csr")
