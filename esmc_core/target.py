"""Where in the model the answer appears: heatmap scores and the suggested cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import xlogy
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from esmc_core.distributions import Distributions
from esmc_core.lens_store import LensStore

Score = Literal["information", "keywords", "confidence"]
SAMPLE_SIZE = 512
"""Images that a heatmap is made from; more change it by less than the eye can see."""

FLAT_BITS = 0.4
"""Below this the model tells the images apart by almost nothing. On the benchmark's sets questions
that no picture answers reach 0.32 bits, those that it answers 0.78 and more."""

NEAR_EQUAL = 0.9
"""Cells above this share of the best score count as equally good."""

KEYWORD_IS_HIGH = 0.2
"""The paper's bar for the mean probability of a keyword at a good cell."""


@dataclass(frozen=True)
class Heatmap:
    """One score for every cell.

    Attributes:
        score: which one.
        values: (n_layers + 1, n_positions) float; bits for "information", else probability.
        suggested: the suggested (layer, position).
        bits: (n_layers + 1, n_positions) the information score, whichever is shown.
        candidates: positions that may be suggested.
        best_bits: the highest information score among them.
        is_flat: the model sees (almost) nothing to tell these images apart.
        n_images: how many images it was made from.
    """

    score: Score
    values: np.ndarray
    suggested: tuple[int, int]
    bits: np.ndarray
    candidates: tuple[int, ...]
    best_bits: float
    is_flat: bool
    n_images: int

    @property
    def unit(self) -> str:
        return "bits" if self.score == "information" else "probability"


def information(distributions: Distributions) -> float:
    """Generalised Jensen–Shannon divergence H(mean_i p_i) − mean_i H(p_i), in bits.

    The tail counts as one more symbol.
    """
    rows, tail = distributions.probabilities, distributions.tail
    mean = np.bincount(distributions.tokens.ravel(), weights=rows.ravel()) / len(rows)
    own = -(xlogy(rows, rows).sum(axis=1) + xlogy(tail, tail)).mean()
    mixed = -(xlogy(mean, mean).sum() + xlogy(tail.mean(), tail.mean()))
    return max(0.0, float((mixed - own) / np.log(2)))


def confidence(distributions: Distributions) -> float:
    """Mean over the images of the largest probability."""
    return float(distributions.probabilities.max(axis=1).mean())


def keyword_probabilities(
    distributions: Distributions, keyword_tokens: Sequence[int]
) -> np.ndarray:
    """(n_keywords,) mean probability of each keyword over the images (the paper's score)."""
    hits = distributions.tokens[:, :, None] == np.asarray(keyword_tokens)
    return (hits * distributions.probabilities[:, :, None]).sum(axis=1).mean(axis=0)


def keyword_votes(means: np.ndarray, *, top_k: int = 5) -> np.ndarray:
    """For how many keywords a cell is among the `top_k` best and high (the paper's candidates).

    Args:
        means: (n_keywords, n_layers + 1, n_positions) mean probability of each keyword.

    Returns:
        (n_layers + 1, n_positions) int
    """
    votes = np.zeros(means.shape[1:], int)
    for scores in means:
        bar = np.partition(scores.ravel(), -min(top_k, scores.size))[-min(top_k, scores.size)]
        votes += (scores >= bar) & (scores > KEYWORD_IS_HIGH)
    return votes


def make_heatmap(
    store: LensStore, *, score: Score = "information", keyword_tokens: Sequence[int] = ()
) -> Heatmap:
    """Score every cell on the images that the pass has finished.

    Args:
        keyword_tokens: (n_keywords,) first token of each keyword, for score="keywords", where
            a cell's value is the largest of the keywords' mean probabilities.
    """
    images = store.sample(SAMPLE_SIZE)
    spec = store.spec
    values = np.zeros((spec.n_layers + 1, spec.n_positions))
    signal = np.zeros_like(values)
    means = np.zeros((len(keyword_tokens), *values.shape))
    if len(images):
        for layer, position in np.ndindex(*values.shape):
            cell = store.cell(layer, position, images)
            signal[layer, position] = information(cell)
            if score == "confidence":
                values[layer, position] = confidence(cell)
            elif score == "keywords":
                means[:, layer, position] = keyword_probabilities(cell, keyword_tokens)
    if score == "information":
        values = signal
    elif score == "keywords":
        values = means.max(axis=0, initial=0.0)
    positions = candidate_positions(spec.token_texts, n_criterion=spec.n_criterion)
    best_bits = float(signal[:, positions].max(initial=0.0))
    ranking = keyword_votes(means) + values if score == "keywords" else values
    return Heatmap(
        score=score,
        values=values,
        suggested=suggest_cell(ranking, positions),
        bits=signal,
        candidates=tuple(positions),
        best_bits=best_bits,
        is_flat=best_bits < FLAT_BITS,
        n_images=len(images),
    )


def candidate_positions(token_texts: Sequence[str], *, n_criterion: int) -> list[int]:
    """Positions that may be suggested: content words of the criterion and all after them.

    An early function word ("the") foretells the next word of the prompt and scores for that,
    so positions before the first content word and function words between content words are
    left out.
    """
    words = [re.sub(r"[\W_▁Ġ]+", "", text).lower() for text in token_texts]
    is_content = [bool(word) and word not in ENGLISH_STOP_WORDS for word in words[:n_criterion]]
    last = max((i for i, content in enumerate(is_content) if content), default=-1)
    after = range(last + 1, len(token_texts))
    return [i for i, content in enumerate(is_content) if content] + list(after)


def suggest_cell(values: np.ndarray, positions: Sequence[int]) -> tuple[int, int]:
    """The latest candidate position with a score near the best, at its best layer.

    Args:
        values: (n_layers + 1, n_positions).
        positions: candidate positions, ascending.

    Returns:
        (layer, position)
    """
    best_each = values[:, positions].max(axis=0)
    near = np.flatnonzero(best_each >= NEAR_EQUAL * best_each.max())
    position = positions[int(near[-1])]
    column = values[:, position]
    return int(len(column) - 1 - column[::-1].argmax()), int(position)


def lens_keywords(distributions: Distributions, *, n_keywords: int = 8) -> list[int]:
    """Tokens that carry the information score: the largest terms of the divergence.

    Each token's term is mean_i p_i log p_i − p̄ log p̄ (it sums to the divergence, Eq. of
    `information`), so a token that every image has alike counts nothing.
    """
    flat, index = np.unique(distributions.tokens, return_inverse=True)
    rows = distributions.probabilities
    mean = np.bincount(index.ravel(), weights=rows.ravel()) / len(rows)
    own = np.bincount(index.ravel(), weights=xlogy(rows, rows).ravel()) / len(rows)
    terms = own - xlogy(mean, mean)
    return [int(token) for token in flat[np.argsort(-terms, kind="stable")[:n_keywords]]]
