"""The logit lens: hidden states read in the vocabulary, the most probable tokens kept."""

from __future__ import annotations

import torch

from esmc_core.models.model import Lens, VisionLanguageModel

TOP_K = 50


def top_tokens(logits: torch.Tensor, *, top_k: int = TOP_K) -> tuple[torch.Tensor, torch.Tensor]:
    """The `top_k` most probable tokens under a softmax over the whole vocabulary.

    Args:
        logits: (..., n_vocab).

    Returns:
        tokens: (..., top_k) int32, most probable first.
        probabilities: (..., top_k) float32; they sum to less than 1, the rest is the tail.
    """
    logits = logits.float()
    values, tokens = logits.topk(min(top_k, logits.shape[-1]), dim=-1)
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
    with torch.inference_mode():
        cells = [
            top_tokens(model.logits(states, layer=layer, lens=lens), top_k=top_k)
            for layer, states in enumerate(hidden)
        ]
    tokens = torch.stack([cell[0] for cell in cells]).transpose(1, 2)
    probabilities = torch.stack([cell[1] for cell in cells]).transpose(1, 2)
    return tokens, probabilities
