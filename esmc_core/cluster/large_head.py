"""The head, taught by rows that come in chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse
import torch

from esmc_core.cluster.head import MAX_COLUMNS, Head, take_step
from esmc_core.cluster.rows import SparseRows
from esmc_core.cluster.streams import RowStream


class LargeHead:
    """A head on the columns that have the most entries in a sample.

    Args:
        sample: (n_sample, n_features) rows that show which columns matter.
        n_clusters: classes.
        seed: of the first weights.
    """

    def __init__(
        self, sample: scipy.sparse.csr_matrix, n_clusters: int, *, seed: int, device: str
    ) -> None:
        counts = np.bincount(sample.indices[sample.data != 0], minlength=sample.shape[1])
        occurring = np.flatnonzero(counts)
        most = occurring[np.argsort(-counts[occurring], kind="stable")[:MAX_COLUMNS]]
        self._columns = np.sort(most)
        self._number = np.zeros(sample.shape[1], dtype=np.int64)
        self._number[self._columns] = np.arange(len(self._columns))
        self._is_learnt = np.zeros(sample.shape[1], dtype=bool)
        self._is_learnt[self._columns] = True
        self._device = device
        self._head = Head.drawn(self._rows(sample[:1]), n_clusters, seed=seed)

    def learn(
        self,
        stream: RowStream,
        pseudo_labels: np.ndarray,
        *,
        epochs: int,
        learning_rate: float,
        batch_size: int,
    ) -> Iterator[int]:
        """Steps of Adam, each on the next `batch_size` examples of the stream, again and again.

        Args:
            pseudo_labels: (n_rows,) int, -1 = left out, in the stream's order.
            epochs: steps.

        Yields:
            The number of each step, from 1.
        """
        optimizer = torch.optim.Adam(self._head.parameters(), lr=learning_rate, fused=True)
        batches = self._batches(stream, pseudo_labels, batch_size)
        for step, (rows, targets) in zip(range(1, epochs + 1), batches, strict=False):
            take_step(self._head, optimizer, rows, targets)
            yield step

    @torch.no_grad()
    def outputs(self, matrix: scipy.sparse.csr_matrix) -> torch.Tensor:
        """(n_rows, n_clusters) logits of some rows."""
        return self._head(self._rows(matrix))

    def _batches(
        self, stream: RowStream, pseudo_labels: np.ndarray, batch_size: int
    ) -> Iterator[tuple[SparseRows, torch.Tensor]]:
        """Without end; the last of a round through the stream may be smaller."""
        while True:
            waiting: list[scipy.sparse.csr_matrix] = []
            targets = np.empty(0, dtype=np.int64)
            for start, matrix in _numbered(stream):
                pseudo = pseudo_labels[start : start + matrix.shape[0]]
                waiting.append(matrix[pseudo >= 0])
                targets = np.concatenate([targets, pseudo[pseudo >= 0]])
                if len(targets) >= batch_size:
                    whole = len(targets) // batch_size * batch_size
                    rows = scipy.sparse.vstack(waiting, format="csr")
                    for first in range(0, whole, batch_size):
                        batch = slice(first, first + batch_size)
                        yield self._example(rows[batch], targets[batch])
                    waiting, targets = [rows[whole:]], targets[whole:]
            if len(targets):
                yield self._example(scipy.sparse.vstack(waiting, format="csr"), targets)

    def _example(
        self, matrix: scipy.sparse.csr_matrix, targets: np.ndarray
    ) -> tuple[SparseRows, torch.Tensor]:
        return self._rows(matrix), torch.from_numpy(targets).to(self._device)

    def _rows(self, matrix: scipy.sparse.csr_matrix) -> SparseRows:
        """The rows in the learnt columns."""
        values = np.where(self._is_learnt[matrix.indices], matrix.data, 0.0)
        numbers, n_features = self._number[matrix.indices], matrix.shape[1]
        return SparseRows.padded(
            matrix.indptr, numbers, values, self._columns, n_features, self._device
        )


def _numbered(stream: RowStream) -> Iterator[tuple[int, scipy.sparse.csr_matrix]]:
    start = 0
    for _, matrix in stream.chunks():
        yield start, matrix
        start += matrix.shape[0]
