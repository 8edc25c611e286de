"""A linear map on cached embeddings, trained on preferences: tuning in seconds on any computer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from esmc_core.errors import Cancelled
from esmc_core.texts.preferences import Preferences
from esmc_core.threads import threads_for

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class AdapterSettings:
    """How the map is trained.

    Attributes:
        epochs: at most; early stopping may take fewer.
        temperature: τ of the softmax. The paper's 0.01 is for training all weights.
    """

    epochs: int = 12
    learning_rate: float = 1e-3
    batch_size: int = 64
    temperature: float = 0.1
    seed: int = 0


def train_adapter(
    embeddings: np.ndarray,
    data: Preferences,
    settings: AdapterSettings,
    *,
    on_epoch: Callable[[int, np.ndarray], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Learn W so that z = W x / ‖W x‖ puts each query nearer to its preferred text.

    The loss is the paper's, −log(exp(cos(q, p)/τ) / Σ_t exp(cos(q, t)/τ)) over the rejected texts
    and the preferred ones of the batch, and the same from p to the batch's queries. What the
    untuned embedding holds for nearer to the query than its own preferred text is no negative,
    but for the rejected text itself: with few true clusters much of the batch is of the same one.

    Args:
        embeddings: (n_texts, d) float32, of length 1.
        on_epoch: called with the number of epochs done and W so far, (d, d) float32.

    Returns:
        (d, d) float32.

    Raises:
        Cancelled: `should_stop` said so.
    """
    rows = torch.from_numpy(np.array(embeddings, dtype=np.float32))
    change = torch.zeros(rows.shape[1], rows.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([change], lr=settings.learning_rate)
    generator = torch.Generator().manual_seed(settings.seed)
    columns = [torch.from_numpy(c) for c in (data.query, data.preferred, data.rejected)]
    with threads_for(len(data)):
        for epoch in range(1, settings.epochs + 1):
            order = torch.randperm(len(data), generator=generator)
            for batch in order.split(settings.batch_size):
                if should_stop is not None and should_stop():
                    raise Cancelled()
                texts = [rows[column[batch]] for column in columns]
                mapped = [normalize(x + x @ change.T, dim=1) for x in texts]
                loss = contrastive_loss(mapped, texts, temperature=settings.temperature)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if on_epoch is not None:
                on_epoch(epoch, _matrix(change))
    return _matrix(change)


def contrastive_loss(
    mapped: list[torch.Tensor], untuned: list[torch.Tensor], *, temperature: float
) -> torch.Tensor:
    """The loss of `train_adapter` for one batch.

    Args:
        mapped: queries, preferred and rejected texts, each (n, d), of length 1.
        untuned: the same before tuning, which tell what is no negative.
    """
    query, preferred, rejected = mapped
    first, second, third = untuned
    limit = (first * second).sum(dim=1, keepdim=True)
    own = torch.eye(len(query), dtype=torch.bool)
    too_near = ((first @ second.T) > limit) & ~own
    rejected_too_near = ((first @ third.T) > limit) & ~own
    to_preferred = (query @ preferred.T / temperature).masked_fill(too_near, -torch.inf)
    to_rejected = (query @ rejected.T / temperature).masked_fill(rejected_too_near, -torch.inf)
    back = (preferred @ query.T / temperature).masked_fill(too_near.T, -torch.inf)
    target = torch.arange(len(query))
    forth = cross_entropy(torch.cat([to_preferred, to_rejected], dim=1), target)
    return forth + cross_entropy(back, target)


def apply_adapter(embeddings: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n_texts, d) float32 mapped embeddings, of length 1."""
    mapped = np.asarray(embeddings) @ matrix.T
    lengths = np.linalg.norm(mapped, axis=1, keepdims=True)
    return (mapped / np.maximum(lengths, 1e-12)).astype(np.float32)


def with_adapter(model: SentenceTransformer, matrix: np.ndarray) -> SentenceTransformer:
    """The model with the map behind it; its weights are shared with the model, not copied."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    size = len(matrix)
    weight = torch.from_numpy(np.array(matrix, dtype=np.float32))
    dense = Dense(
        size, size, bias=False, activation_function=torch.nn.Identity(), init_weight=weight
    )
    modules = [*model, Normalize(), dense, Normalize()]
    return SentenceTransformer(modules=modules, device=str(model.device)).eval()


def _matrix(change: torch.Tensor) -> np.ndarray:
    return (torch.eye(len(change)) + change.detach()).numpy()
