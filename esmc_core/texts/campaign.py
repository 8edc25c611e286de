"""Asking in rounds: each draws its triplets on the embeddings that the answers so far have bent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from esmc_core.texts.adapter import AdapterSettings, apply_adapter, train_adapter
from esmc_core.texts.answers import Answer
from esmc_core.texts.preferences import Preferences, preferences
from esmc_core.texts.triplets import N_TRIPLETS, Sampling, Triplet, sample_triplets

N_ROUNDS, _LEAST_ROUND = 4, 64
_EPOCHS = 8
_LEAST = 2

Ask = Callable[[Sequence[Triplet]], Sequence[Answer | None]]


def count_rounds(n_triplets: int) -> int:
    """Into how many rounds a budget is split: 4, or fewer so that each has 64 triplets."""
    return max(1, min(N_ROUNDS, n_triplets // _LEAST_ROUND))


def ask_in_rounds(
    embeddings: np.ndarray,
    ask: Ask,
    n_triplets: int = N_TRIPLETS,
    *,
    sampling: Sampling = "entropy",
    seed: int = 0,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[list[Triplet], Preferences]:
    """Ask a budget of triplets in rounds; between them an adapter learns from all answers so far.

    Random triplets are not drawn by the embeddings, and are asked at once.

    Args:
        embeddings: (n_texts, d) float32 of length 1.
        ask: gets triplets, gives their answers.

    Returns:
        The triplets, no more than `n_triplets`, and what their answers teach.

    Raises:
        InputError: there are fewer than four texts.
        Cancelled: `should_stop` said so.
    """
    triplets: list[Triplet] = []
    answers: list[Answer | None] = []
    data = preferences([], [])
    current = embeddings
    n_rounds = 1 if sampling == "random" else count_rounds(n_triplets)
    for number in range(n_rounds):
        wanted = n_triplets * (number + 1) // n_rounds - len(triplets)
        drawn = sample_triplets(
            current, wanted, sampling=sampling, seed=seed + number, known=triplets
        )
        triplets += drawn
        answers += ask(drawn)
        data = preferences(triplets, answers)
        if number < n_rounds - 1 and len(data) >= _LEAST:
            settings = AdapterSettings(epochs=_EPOCHS, seed=seed)
            matrix = train_adapter(embeddings, data, settings, should_stop=should_stop)
            current = apply_adapter(embeddings, matrix)
    return triplets, data
