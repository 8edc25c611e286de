"""Small made-up lens data: distributions over a dozen pieces, and rows in known clouds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse

from esmc_core.distributions import Distributions

VOCABULARY = (
    *("<s>", "▁red", "Red", "red", "▁black", "▁Black", "▁gray", "▁grey", "▁silver", "▁white"),
    *("▁maroon", "▁car", "▁the", ".", "<0x0A>", "ish"),
)


def token_texts(tokens: Sequence[int]) -> list[str]:
    return [VOCABULARY[token] for token in tokens]


def distributions_of(rows: Sequence[Mapping[str, float]]) -> Distributions:
    """One row an image: probabilities by piece; the rest of the pieces share what is left."""
    table = np.full((len(rows), len(VOCABULARY)), 1e-4, dtype=np.float32)
    for image, row in enumerate(rows):
        for text, probability in row.items():
            table[image, VOCABULARY.index(text)] = probability
    order = np.argsort(-table, axis=1, kind="stable").astype(np.int32)
    return Distributions(order, np.take_along_axis(table, order, axis=1), len(VOCABULARY))


def coloured_cars(counts: Mapping[str, int], *, seed: int = 0) -> tuple[Distributions, list[str]]:
    """Noisy distributions of cars whose colour is told by one piece, and the colours."""
    rng = np.random.default_rng(seed)
    truth = [colour for colour, count in counts.items() for _ in range(count)]
    rng.shuffle(truth)
    rows = [
        {f"▁{colour}": rng.uniform(0.4, 0.7), "▁car": rng.uniform(0.05, 0.15), ".": 0.05}
        for colour in truth
    ]
    return distributions_of(rows), truth


def clouds(
    n_rows: int = 200,
    n_clusters: int = 4,
    n_columns: int = 300,
    *,
    spread: float = 0.5,
    seed: int = 0,
) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
    """Sparse non-negative float32 rows around n_clusters sparse centres, and whose each is."""
    rng = np.random.default_rng(seed)
    # All centres share half of their columns, so that no two rows are exactly as far apart.
    centres = np.zeros((n_clusters, n_columns))
    centres[:, : n_columns // 4] = rng.random((n_clusters, n_columns // 4))
    for cluster in range(n_clusters):
        own = n_columns // 4 + rng.choice(n_columns // 2, 20, replace=False)
        centres[cluster, own] = rng.random(20) * 2
    truth = np.arange(n_rows) % n_clusters
    noise = rng.normal(scale=spread, size=(n_rows, n_columns)) * (centres[truth] > 0)
    rows = np.clip(centres[truth] + noise, 0, None).astype(np.float32)
    return scipy.sparse.csr_matrix(rows), truth
