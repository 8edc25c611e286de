"""Whether what held-out answers gained is more than answers thrown by dice would gain."""

from __future__ import annotations

from math import ceil

import numpy as np

_GRID = 120  # gains are halves, averaged over up to five clusterings
_HOPELESS = 0.25  # a gain as likely by chance foretells nothing


def chance_of_gain(gain: np.ndarray, query: np.ndarray) -> float:
    """How likely answers without any sense are to gain as much: an exact sign-flip test.

    If an answer says nothing, the other choice was as likely, and its gain would have been the
    opposite. So under chance the sum of gains is Σ ±g over the queries, every sign as likely as the
    other; this is the share of all these sums that is no smaller than the one seen. Nothing is
    assumed of how gains are spread, so it holds for five answers as for a thousand. Answers to the
    same query are not independent, and flip together.

    Args:
        gain: (n,) float −1 to 1, of each held-out answer.
        query: (n,) int the query of each.

    Returns:
        0 to 1; 1 where nothing was gained.
    """
    _, own = np.unique(query, return_inverse=True)
    sums = np.round(_GRID * np.bincount(own, weights=gain)).astype(np.int64)
    sums = sums[sums != 0]
    if sums.sum() <= 0:
        return 1.0
    sums //= np.gcd.reduce(sums)
    sizes, counts = np.unique(np.abs(sums), return_counts=True)
    shares = np.ones(1)  # of each sum, from the lowest in steps of 2
    for size, count in zip(sizes, counts, strict=True):
        shares = np.convolve(shares, _spread(int(size), int(count)))
    lowest = int(np.abs(sums).sum())
    return float(min(1.0, shares[(int(sums.sum()) + lowest) // 2 :].sum()))


def allowed_chance(n_answers: int, doubt: float) -> float:
    """The chance up to which a gain on so many held-out answers is believed.

    The doubt weighs as much as so many answers that gained nothing: added to n that gained, they
    leave the mean one standard error above 0 if it was √(1 + doubt / n) before. Of many answers one
    is enough; of few, who are asked again and again as more come in, more is wanted.
    """
    from scipy.stats import norm

    return float(norm.sf((1 + doubt / max(1, n_answers)) ** 0.5))


def more_answers_needed(chance: float, n_answers: int, doubt: float) -> int | None:
    """How many more answers like these would tell the gain from chance; None for no sane number.

    The gain of n answers is √n times as sure as that of one.

    Args:
        chance: what `chance_of_gain` gave for `n_answers`.
        doubt: as in `allowed_chance`.
    """
    from scipy.stats import norm

    if chance <= allowed_chance(n_answers, doubt):
        return 0
    if chance >= _HOPELESS:
        return None
    squared = float(norm.isf(chance)) ** 2 / n_answers
    enough = (1 + (1 + 4 * doubt * squared) ** 0.5) / (2 * squared)
    return max(1, ceil(enough) - n_answers)


def _spread(size: int, count: int) -> np.ndarray:
    """(size · count + 1,) the share of each sum of `count` gains ±size, in steps of 2."""
    from scipy.stats import binom

    found = np.zeros(size * count + 1)
    found[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
    return found
