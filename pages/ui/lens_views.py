"""What pages show of a lens store, kept until its sample grows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from esmc_core.lens_store import LensStore
from esmc_core.spelling import plain_text
from esmc_core.target import SAMPLE_SIZE, Heatmap, Score, make_heatmap

Cell = tuple[int, int]
Words = list[tuple[str, float]]
FAIR_SHARE = 0.04


def scored(store: LensStore, score: str, keywords: tuple[int, ...] = ()) -> Heatmap:
    """The heatmap of the images finished so far."""
    return _heatmap(store.key, _stamp(store), score, keywords, store)  # type: ignore[arg-type]


def cell_words(store: LensStore) -> list[list[Words]]:
    """(n_layers + 1, n_positions) lists of the most probable words over the images."""
    return _cell_words(store.key, _stamp(store), store)


def image_words(
    store: LensStore, cell: Cell, images: Sequence[int] | np.ndarray, *, n_tokens: int = 3
) -> list[Words]:
    """For each image its most probable words at the cell."""
    from esmc_core.naming import top_tokens

    found = store.cell(*cell, images=np.asarray(images))
    return top_tokens(found, store.token_texts, n_tokens=n_tokens)


def shown_tokens(store: LensStore) -> list[str]:
    """(n_positions,) the prompt's tokens as text, blanks in front kept."""
    shown = []
    for text in store.spec.token_texts:
        plain = plain_text(text)
        shown.append(f" {plain}" if text[:1] in "▁Ġ " and plain else plain or "␣")
    return shown


def cell_name(store: LensStore, cell: tuple[int, int]) -> str:
    """Where a cell is, such as: layer 4, at “color”; with its position where there are two."""
    layer, position = cell
    tokens = [token.strip() for token in shown_tokens(store)]
    which = f" ({position})" if tokens.count(tokens[position]) > 1 else ""
    return f"layer {layer}, at “{tokens[position]}”{which}"


def _stamp(store: LensStore) -> int:
    return min(store.n_done, SAMPLE_SIZE)


@st.cache_data(max_entries=64, show_spinner=False)
def _heatmap(
    key: str, stamp: int, score: Score, keywords: tuple[int, ...], _store: LensStore
) -> Heatmap:
    return make_heatmap(_store, score=score, keyword_tokens=keywords)


@st.cache_data(max_entries=16, show_spinner=False)
def _cell_words(key: str, stamp: int, _store: LensStore) -> list[list[Words]]:
    from esmc_core.naming import mean_tokens

    images = _store.sample(SAMPLE_SIZE)
    spec = _store.spec
    return [
        [
            mean_tokens(_store.cell(layer, position, images), _store.token_texts, n_tokens=5)
            for position in range(spec.n_positions)
        ]
        for layer in range(spec.n_layers + 1)
    ]


@st.cache_data(max_entries=64, show_spinner=False)
def _n_answers(key: str, stamp: int, cell: Cell, _store: LensStore) -> int:
    from esmc_core.spelling import merge_columns

    images = _store.sample(SAMPLE_SIZE)
    merged = merge_columns(_store.cell(*cell, images=images), _store.token_texts)
    counts = np.unique(merged.tokens[:, 0], return_counts=True)[1]
    often = int((counts >= max(2, FAIR_SHARE * len(images))).sum())
    return min(max(often, 2), 12, max(1, _store.spec.n_images))


def n_answers(store: LensStore, cell: Cell) -> int:
    """How many words are the first answer of a fair share of the pictures; 2 to 12."""
    return _n_answers(store.key, _stamp(store), cell, store)
