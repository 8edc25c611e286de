"""The logit lens: hidden states read in the vocabulary, the most probable tokens kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from esmc_core.models.model import Lens, VisionLanguageModel

TOP_K = 50
_BY_GROUPS_UP_TO = 8_000
"""Words of a vocabulary up to which NumPy finds the largest sooner than torch, on a CPU core: in a
fifth of the time for 3,000 words, in as much for 20,000."""
_GROUP = 8
_VALUES_AT_A_TIME = 4_000_000
"""Probabilities that are held at a time on a CPU, 16 MB; fewer rows at a time are slower."""


def top_tokens(logits: torch.Tensor, *, top_k: int = TOP_K) -> tuple[torch.Tensor, torch.Tensor]:
    """The `top_k` most probable tokens under a softmax over the whole vocabulary.

    Args:
        logits: (..., n_vocab).

    Returns:
        tokens: (..., top_k) int32, most probable first.
        probabilities: (..., top_k) float32; they sum to less than 1, the rest is the tail.
    """
    everything = logits.float().softmax(dim=-1)
    probabilities, tokens = _largest(everything, min(top_k, logits.shape[-1]))
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
            n_images = len(states)
            if layer == 0 and _are_alike(states):
                states = states[:1]
            found = [
                top_tokens(model.logits(some, layer=layer, lens=lens), top_k=top_k)
                for some in _in_pieces(states.transpose(0, 1).contiguous(), n_vocab=model.n_vocab)
            ]
            cells.append(
                [torch.cat(parts).expand(-1, n_images, -1) for parts in zip(*found, strict=True)]
            )
    tokens, probabilities = (torch.stack(parts) for parts in zip(*cells, strict=True))
    return tokens, probabilities


def _in_pieces(states: torch.Tensor, *, n_vocab: int) -> Sequence[torch.Tensor]:
    """(n_positions, n_images, d_model) in pieces whose probabilities a CPU holds easily."""
    if states.device.type != "cpu":
        return [states]
    return states.split(max(1, _VALUES_AT_A_TIME // (states.shape[1] * n_vocab)))


def _are_alike(states: torch.Tensor) -> bool:
    """Whether all images have the same states, as with the embeddings of one prompt.

    On a GPU the question would cost more than the answer saves.
    """
    return states.device.type == "cpu" and torch.equal(states, states[:1].expand_as(states))


def _largest(values: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `n` largest of each row and where they are, the largest first; none is below zero."""
    n_vocab = values.shape[-1]
    if values.device.type == "cpu" and n * _GROUP <= n_vocab <= _BY_GROUPS_UP_TO:
        missing = -n_vocab % _GROUP
        rows = torch.nn.functional.pad(values, (0, missing)) if missing else values
        found = _largest_by_groups(rows.reshape(-1, n_vocab + missing).numpy(), n)
        if found is not None:
            shape = (*values.shape[:-1], n)
            return torch.from_numpy(found[0]).view(shape), torch.from_numpy(found[1]).view(shape)
    return values.topk(n, dim=-1)


def _largest_by_groups(rows: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Looks for the groups with the largest maxima, and only in them for the largest values.

    Args:
        rows: (n_rows, width) float32, the width a multiple of `_GROUP`.

    Returns:
        values, columns: (n_rows, n). None if equal values leave open which are the largest.
    """
    n_rows, width = rows.shape
    n_groups, starts = width // _GROUP, width * np.arange(n_rows)[:, None]
    groups = _where_largest(rows.reshape(n_rows, _GROUP, n_groups).max(axis=1), n)
    if groups is None:
        return None
    members = (groups % n_groups + starts)[:, None] + n_groups * np.arange(_GROUP)[:, None]
    members = members.reshape(n_rows, -1)
    chosen = _where_largest(rows.ravel()[members], n)
    if chosen is None:
        return None
    places = members.ravel()[chosen]
    values = rows.ravel()[places]
    order = np.argsort(-values, axis=1)
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(
        places - starts, order, axis=1
    )


def _where_largest(rows: np.ndarray, n: int) -> np.ndarray | None:
    """(n_rows, n) places of the `n` largest of each row in the flat array; None if some are equal.

    NumPy finds the smallest of them, and what is not below it, several times as fast as the order.
    """
    least = np.partition(rows, -n, axis=1)[:, -n, None]
    places = np.flatnonzero(rows >= least)
    return places.reshape(-1, n) if len(places) == n * len(rows) else None
