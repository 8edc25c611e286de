"""What the images of a cluster say, and a name made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from esmc_core.distributions import Distributions
from esmc_core.spelling import (
    TokenTexts,
    canonical_text,
    is_special,
    merge_columns,
    merged_matrix,
    plain_text,
    starts_word,
)

# A cluster whose best word is taken may be called by another that weighs at least this much of it.
_ALTERNATIVE_SHARE = 0.1
_CHUNK = 8_192  # images that are counted at a time, whose numbers the caches then hold


@dataclass(frozen=True)
class DominantToken:
    """A token that marks a cluster.

    Attributes:
        token: id of its most probable spelling variant.
        text: shown text, without markers; a piece of a word begins with "…".
        probability: mean over the cluster's images, spelling variants added up.
        weight: probability × log(probability / its mean over the collection), in nats.
        share: of the cluster's images, the part whose most probable token this is.
        is_word: False for punctuation, control tokens and bytes.
    """

    token: int
    text: str
    probability: float
    weight: float
    share: float
    is_word: bool = True


def dominant_tokens(
    distributions: Distributions,
    labels: np.ndarray,
    token_texts: TokenTexts,
    *,
    n_tokens: int = 10,
    merged: scipy.sparse.csr_matrix | None = None,
) -> list[list[DominantToken]]:
    """The tokens of each cluster that are probable in it and above the collection's mean.

    Words come first, by weight; punctuation, control tokens and bytes follow. In a collection
    of one cluster nothing is above the mean, and the order is the probability's.

    Args:
        distributions: of n_images images, at the target cell.
        labels: (n_images,) int, clusters from 0.
        merged: the distributions' `merged_matrix`, where it is at hand.

    Returns:
        For each cluster, 0 to the highest label, up to `n_tokens` tokens; an empty cluster none.
    """
    merged = merged_matrix(distributions, token_texts) if merged is None else merged
    n_clusters = int(labels.max(initial=-1)) + 1
    figures = ClusterFigures.empty(n_clusters, distributions.n_vocab)
    figures.add(merged, labels)
    return rank_tokens(figures, distributions.occurring, token_texts, n_tokens=n_tokens)


@dataclass
class ClusterFigures:
    """What is counted of the images of each cluster.

    Attributes:
        sums: (n_clusters, n_vocab) float64 sums of probabilities, spelling variants added up.
        tops: (n_clusters, n_vocab) int32, images whose most probable token it is.
        sizes: (n_clusters,) int64 images.
    """

    sums: np.ndarray
    tops: np.ndarray
    sizes: np.ndarray

    @classmethod
    def empty(cls, n_clusters: int, n_vocab: int) -> ClusterFigures:
        shape = (n_clusters, n_vocab)
        return cls(np.zeros(shape), np.zeros(shape, np.int32), np.zeros(n_clusters, np.int64))

    def add(self, matrix: scipy.sparse.csr_matrix, labels: np.ndarray) -> None:
        """Count some images.

        Args:
            matrix: (n_images, n_vocab) probabilities, by column; no row is empty.
            labels: (n_images,) cluster of each.
        """
        n_images, n_clusters = len(labels), len(self.sizes)
        for start in range(0, n_images, _CHUNK):
            of_some = labels[start : start + _CHUNK]
            parts = (np.ones(len(of_some)), (of_some, np.arange(len(of_some))))
            members = scipy.sparse.csr_matrix(parts, (n_clusters, len(of_some)))
            summed = (members @ matrix[start : start + _CHUNK]).tocoo()
            self.sums[summed.row, summed.col] += summed.data
        np.add.at(self.tops, (labels, _most_probable(matrix)), 1)
        self.sizes += np.bincount(labels, minlength=n_clusters)


def _most_probable(matrix: scipy.sparse.csr_matrix) -> np.ndarray:
    """(n_rows,) the column of each row's largest entry, of equal ones the first."""
    starts = matrix.indptr[:-1]
    largest = np.maximum.reduceat(matrix.data, starts)
    is_largest = matrix.data == np.repeat(largest, np.diff(matrix.indptr))
    entries = np.flatnonzero(is_largest)
    return matrix.indices[entries[np.searchsorted(entries, starts)]]


def rank_tokens(
    figures: ClusterFigures, occurring: np.ndarray, token_texts: TokenTexts, *, n_tokens: int = 10
) -> list[list[DominantToken]]:
    """The tokens of each cluster from what was counted; see `dominant_tokens`.

    Args:
        occurring: (n_occurring,) ids of all tokens that occur, variants included.
    """
    show = _shower(occurring, token_texts)
    sizes = figures.sizes
    means = figures.sums / np.maximum(sizes, 1)[:, None]
    overall = sizes @ means / max(sizes.sum(), 1)
    found = []
    for cluster, mean in enumerate(means):
        shares = figures.tops[cluster] / max(sizes[cluster], 1)
        ranked = _rank(mean, overall, n_tokens=4 * n_tokens + 20)
        tokens = [
            show(token, float(mean[token]), weight, float(shares[token]))
            for token, weight in ranked
        ]
        tokens.sort(key=lambda shown: not shown.is_word)
        found.append(tokens[:n_tokens])
    return found


def cluster_names(dominant: Sequence[Sequence[DominantToken]]) -> list[str]:
    """A name for each cluster, no two the same: "red", "black", "red 2", "cluster 4".

    A word that is several clusters' best goes to the one where it weighs most; the others take
    their next word, if it weighs enough, else the word with a number.
    """
    words = [[shown for shown in tokens if shown.is_word] for tokens in dominant]
    owners: dict[str, int] = {}
    for cluster, tokens in enumerate(words):
        if tokens:
            word = canonical_text(tokens[0].text)
            owner = owners.setdefault(word, cluster)
            if tokens[0].weight > words[owner][0].weight:
                owners[word] = cluster
    names = ["" for _ in words]
    for cluster in owners.values():
        names[cluster] = words[cluster][0].text
    taken = set(owners)
    for cluster, tokens in enumerate(words):
        if not names[cluster]:
            names[cluster] = _other_name(tokens, taken, f"cluster {cluster + 1}")
            taken.add(canonical_text(names[cluster]))
    return names


def top_tokens(
    distributions: Distributions, token_texts: TokenTexts, *, n_tokens: int = 5
) -> list[list[tuple[str, float]]]:
    """For each image its most probable (text, probability), spelling variants merged."""
    show = _shower(distributions.occurring, token_texts)
    merged = merge_columns(distributions, token_texts)
    tokens, probabilities = merged.tokens[:, :n_tokens], merged.probabilities[:, :n_tokens]
    texts = {int(token): show(int(token), 0.0, 0.0, 0.0).text for token in np.unique(tokens)}
    return [
        [(texts[t], p) for t, p in zip(*row, strict=True) if p > 0]
        for row in zip(tokens.tolist(), probabilities.tolist(), strict=True)
    ]


def top_token_texts(
    distributions: Distributions, token_texts: TokenTexts, *, n_tokens: int = 5
) -> list[str]:
    """For each image its most probable tokens as "red 0.81; maroon 0.07"."""
    rows = top_tokens(distributions, token_texts, n_tokens=n_tokens)
    return ["; ".join(f"{text} {share:.2f}" for text, share in row) for row in rows]


def mean_tokens(
    distributions: Distributions, token_texts: TokenTexts, *, n_tokens: int = 5
) -> list[tuple[str, float]]:
    """The (text, mean probability) that are most probable over all images.

    Spelling variants are added up among the likeliest tokens only, which is what makes this
    quick enough for every cell of a heatmap.
    """
    tokens, columns = np.unique(distributions.tokens, return_inverse=True)
    sums = np.bincount(columns.ravel(), weights=distributions.probabilities.ravel())
    likeliest = np.argsort(-sums, kind="stable")[: 6 * n_tokens]
    means: dict[str, float] = {}
    shown: dict[str, str] = {}
    for text, total in zip(token_texts(tokens[likeliest].tolist()), sums[likeliest], strict=True):
        word = canonical_text(text)
        shown.setdefault(word, plain_text(text) or text.strip() or "␣")
        means[word] = means.get(word, 0.0) + float(total) / max(distributions.n_images, 1)
    ranked = sorted(means, key=lambda word: -means[word])[:n_tokens]
    return [(shown[word], means[word]) for word in ranked]


def _other_name(tokens: Sequence[DominantToken], taken: set[str], fallback: str) -> str:
    if not tokens:
        return fallback
    enough = _ALTERNATIVE_SHARE * tokens[0].weight
    for shown in tokens[1:]:
        if shown.weight >= max(enough, 1e-9) and canonical_text(shown.text) not in taken:
            return shown.text
    number = 2
    while canonical_text(f"{tokens[0].text} {number}") in taken:
        number += 1
    return f"{tokens[0].text} {number}"


def _rank(mean: np.ndarray, overall: np.ndarray, *, n_tokens: int) -> list[tuple[int, float]]:
    """Tokens above the collection's mean with their weights, the heaviest first."""
    tokens = np.flatnonzero(mean)
    weights = mean[tokens] * np.log(mean[tokens] / overall[tokens])
    above = weights > 1e-9
    if above.any():
        tokens, weights = tokens[above], weights[above]
    order = np.lexsort((tokens, -mean[tokens], -np.where(above.any(), weights, 0.0)))[:n_tokens]
    return [(int(tokens[i]), float(max(weights[i], 0.0))) for i in order]


def _shower(
    occurring: np.ndarray, token_texts: TokenTexts
) -> Callable[[int, float, float, float], DominantToken]:
    """A function that makes a DominantToken of an id, one of those occurring, and its figures."""
    ids = occurring.tolist()
    texts = dict(zip(ids, token_texts(ids), strict=True))
    has_markers = any(starts_word(text) for text in texts.values())
    variants: dict[str, list[str]] = defaultdict(list)
    for text in texts.values():
        variants[canonical_text(text)].append(text)

    def show(token: int, probability: float, weight: float, share: float) -> DominantToken:
        text = texts[token]
        shown = plain_text(text) or text.strip() or "␣"
        is_word = not is_special(text) and any(letter.isalnum() for letter in shown)
        whole = any(_is_whole(variant) for variant in variants[canonical_text(text)])
        if is_word and has_markers and not whole:
            shown = f"…{shown}"
        return DominantToken(token, shown, probability, weight, share, is_word)

    return show


def _is_whole(text: str) -> bool:
    """Whether a token can begin a word: it says so, or its first letter has no small form."""
    return starts_word(text) or not text[:1].islower()
