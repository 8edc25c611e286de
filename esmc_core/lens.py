"""The logit lens: hidden states read in the vocabulary, the most probable tokens kept."""

from __future__ import annotations

import numpy as np
import torch

from esmc_core.models.model import Lens, VisionLanguageModel

TOP_K = 50
_PARTITION_UP_TO = 8_000
"""Words of a vocabulary up to which NumPy finds the largest sooner than torch, on a CPU core: in
half the time for 3,000 words, in as much for 10,000."""


def top_tokens(logits: torch.Tensor, *, top_k: int = TOP_K) -> tuple[torch.Tensor, torch.Tensor]:
    """The `top_k` most probable tokens under a softmax over the whole vocabulary.

    Args:
        logits: (..., n_vocab).

    Returns:
        tokens: (..., top_k) int32, most probable first.
        probabilities: (..., top_k) float32; they sum to less than 1, the rest is the tail.
    """
    logits = logits.float()
    values, tokens = _largest(logits, min(top_k, logits.shape[-1]))
    probabilities = (values - logits.logsumexp(dim=-1, keepdim=True)).exp()
    return tokens.int(), probabilities


def read_lens(
    model: VisionLanguageModel,
    hidden: torch.Tensor,
    *,
    lens: Lens = "norm",
    top_k: int = TOP_K,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The lens at every cell, one layer at a time so that no full vocabulary piles up.

    Args:
        hidden: (n_layers + 1, n_images, n_positions, d_model), before the final norm.

    Returns:
        tokens: (n_layers + 1, n_positions, n_images, top_k) int32.
        probabilities: the same shape, float32.
    """
    cells = []
    with torch.inference_mode():
        for layer, states in enumerate(hidden):
            alike = layer == 0 and _are_alike(states)
            logits = model.logits(states[:1] if alike else states, layer=layer, lens=lens)
            found = top_tokens(logits, top_k=top_k)
            cells.append([part.expand(len(states), -1, -1) for part in found])
    tokens, probabilities = (
        torch.stack(parts).transpose(1, 2) for parts in zip(*cells, strict=True)
    )
    return tokens, probabilities


def _are_alike(states: torch.Tensor) -> bool:
    """Whether all images have the same states, as with the embeddings of one prompt.

    On a GPU the question would cost more than the answer saves.
    """
    return states.device.type == "cpu" and torch.equal(states, states[:1].expand_as(states))


def _largest(logits: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `n` largest values of each row and where they are, the largest first."""
    n_vocab = logits.shape[-1]
    if logits.device.type != "cpu" or n == n_vocab or n_vocab > _PARTITION_UP_TO:
        return logits.topk(n, dim=-1)
    rows = logits.numpy()
    columns = np.argpartition(rows, n_vocab - n, axis=-1)[..., n_vocab - n :]
    values = np.take_along_axis(rows, columns, axis=-1)
    order = np.argsort(-values, axis=-1)
    columns, values = (np.take_along_axis(part, order, axis=-1) for part in (columns, values))
    return torch.from_numpy(values), torch.from_numpy(columns)
