"""The head (Eq. 7 of the ESMC paper): two linear layers, trained on the pseudo-labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from esmc_core.cluster.rows import DenseRows, Rows, SparseRows
from esmc_core.errors import Cancelled
from esmc_core.threads import threads_for

N_HIDDEN = 512
MAX_COLUMNS = 4096
"""Columns that a head has; of more in the examples, those that occur most often there."""


class _Product(torch.autograd.Function):
    """Sparse rows times a dense weight.

    The weight's gradient is summed up column by column, which takes half the time that torch's own
    backward of a bag takes, and on a GPU gives the same numbers each time.
    """

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, rows: SparseRows) -> torch.Tensor:
        ctx.rows = rows
        return rows.dot(weight.T)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.rows.column_sums(gradients[0]), None


class SparseLinear(nn.Module):
    """`nn.Linear` on sparse rows: the weighted sum of the weights of a row's columns.

    Attributes:
        weight: (n_columns, n_out), transposed against `nn.Linear`; only columns that occur.
        bias: (n_out,)
    """

    def __init__(self, weight: torch.Tensor, bias: nn.Parameter) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = bias

    @classmethod
    def drawn(cls, rows: SparseRows, n_out: int, generator: torch.Generator) -> SparseLinear:
        """First weights with the scale of an `nn.Linear` of the full width, n_features."""
        bound = 1 / math.sqrt(rows.n_features)
        weight = _uniform((rows.n_columns, n_out), bound, generator)
        return cls(weight, nn.Parameter(_uniform((n_out,), bound, generator)))

    def forward(self, rows: SparseRows) -> torch.Tensor:
        return _Product.apply(self.weight, rows) + self.bias


class DenseLinear(nn.Module):
    """`nn.Linear` on dense rows."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, rows: DenseRows) -> torch.Tensor:
        return self.linear(rows.offsets + rows.mean)


class Head(nn.Module):
    """Linear(n_features, 512), ReLU, Linear(512, n_clusters): rows in, logits out.

    Attributes:
        columns: (n_kept,) int64, those of the rows' columns that it has, ascending; None for all.
    """

    def __init__(
        self,
        first: SparseLinear | DenseLinear,
        second: nn.Linear,
        columns: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.columns = columns

    @classmethod
    def drawn(
        cls, rows: Rows, n_clusters: int, *, seed: int = 0, columns: torch.Tensor | None = None
    ) -> Head:
        """An untrained head for such rows, the same for the same seed on every device.

        Args:
            columns: (n_kept,) int64, the columns that it has; None for all.
        """
        if columns is not None and isinstance(rows, SparseRows):
            rows = rows.take(columns[:0]).on(columns)
        generator = torch.Generator().manual_seed(seed)
        first: SparseLinear | DenseLinear
        if isinstance(rows, SparseRows):
            first = SparseLinear.drawn(rows, N_HIDDEN, generator)
        else:
            first = DenseLinear(_draw_linear(rows.n_columns, N_HIDDEN, generator))
        second = _draw_linear(N_HIDDEN, n_clusters, generator)
        return cls(first, second, columns).to(rows.device)

    def forward(self, rows: Rows) -> torch.Tensor:
        return self.second(torch.relu(self.first(rows)))

    @torch.no_grad()
    def outputs(self, rows: Rows, *, batch_size: int = 4096) -> torch.Tensor:
        """(n_rows, n_clusters) logits of all rows."""
        everything = torch.arange(rows.n_rows, device=rows.device)
        batches = everything.split(batch_size)
        return torch.cat([self(self.seen_of(rows.take(batch))) for batch in batches])

    def seen_of(self, rows: Rows) -> Rows:
        """The rows on the columns that it has."""
        if self.columns is None or not isinstance(rows, SparseRows):
            return rows
        return rows.on(self.columns)


def train_head(
    rows: Rows,
    pseudo_labels: torch.Tensor,
    n_clusters: int,
    *,
    epochs: int = 200,
    learning_rate: float = 1e-3,
    batch_size: int = 256,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    on_epoch: Callable[[int, Head], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Head:
    """Train a head with cross-entropy and Adam on the rows that have a pseudo-label.

    Args:
        rows: all rows; those without a pseudo-label only lend their columns.
        pseudo_labels: (n_rows,) int64, -1 = left out.
        epochs: steps, each on all examples, or on the next `batch_size` of a shuffle where there
            are more: the time does not grow with the number of rows.
        progress: called after each epoch with its number, from 1.
        on_epoch: the same, with the head as it is, which has to be written for it each time.

    Raises:
        Cancelled: `should_stop` said so, asked once an epoch.
    """
    chosen = (pseudo_labels >= 0).nonzero().squeeze(1)
    examples = rows.take(chosen)
    columns = examples.most_frequent(MAX_COLUMNS) if isinstance(examples, SparseRows) else None
    head = Head.drawn(rows, n_clusters, seed=seed, columns=columns)
    learner = _Learner(head, head.seen_of(examples), pseudo_labels[chosen], learning_rate)
    batches = _batches(len(chosen), batch_size, torch.Generator().manual_seed(seed))
    # A step on sparse rows is a dozen small pieces of work: threads would wait for each other.
    with threads_for(batch_size) if isinstance(rows, SparseRows) else nullcontext():
        for epoch, batch in zip(range(1, epochs + 1), batches, strict=False):
            if should_stop is not None and should_stop():
                raise Cancelled()
            learner.learn(batch.to(rows.device))
            if progress is not None:
                progress(epoch)
            if on_epoch is not None:
                learner.write_back()
                on_epoch(epoch, head)
    learner.write_back()
    return head.eval()


def take_step(
    head: Head, optimizer: torch.optim.Optimizer, rows: Rows, targets: torch.Tensor
) -> None:
    """One step on some rows and their (n_rows,) int64 classes, with cross-entropy."""
    optimizer.zero_grad()
    nn.functional.cross_entropy(head(rows), targets).backward()
    optimizer.step()


class _Learner:
    """Trains a head on some rows, touching only the columns that occur in them.

    The weights of the other columns get no gradient, so Adam would leave them as they are; to
    carry them along would more than double the time of a step.
    """

    def __init__(self, head: Head, rows: Rows, targets: torch.Tensor, learning_rate: float) -> None:
        self.head, self.small, self.rows, self.targets = head, head, rows, targets
        self.weight: torch.Tensor | None = None
        if isinstance(rows, SparseRows) and isinstance(head.first, SparseLinear):
            self.rows, self.columns = rows.compressed()
            first = SparseLinear(head.first.weight.detach()[self.columns], head.first.bias)
            self.small, self.weight = Head(first, head.second), first.weight
        self.optimizer = torch.optim.Adam(self.small.parameters(), lr=learning_rate, fused=True)

    def learn(self, batch: torch.Tensor) -> None:
        """One step of Adam on some of the rows."""
        # All of them at once are the same rows each time, whose order by column is known.
        rows = self.rows if len(batch) == self.rows.n_rows else self.rows.take(batch)
        take_step(self.small, self.optimizer, rows, self.targets[batch])

    @torch.no_grad()
    def write_back(self) -> None:
        """Put what was learnt into the head."""
        if self.weight is not None and isinstance(self.head.first, SparseLinear):
            self.head.first.weight[self.columns] = self.weight


def _batches(n_rows: int, batch_size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Without end: all rows each time, or the even batches of one shuffle after the other."""
    n_batches = -(-n_rows // batch_size)
    while True:
        order = torch.arange(n_rows)
        if n_batches > 1:
            order = torch.randperm(n_rows, generator=generator)
        yield from order.tensor_split(n_batches)


def _draw_linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Linear:
    """An `nn.Linear` with its usual first weights, drawn from `generator`."""
    bound = 1 / math.sqrt(n_in)
    linear = nn.utils.skip_init(nn.Linear, n_in, n_out)
    linear.weight = nn.Parameter(_uniform((n_out, n_in), bound, generator))
    linear.bias = nn.Parameter(_uniform((n_out,), bound, generator))
    return linear


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> torch.Tensor:
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)
