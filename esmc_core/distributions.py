"""The lens at one cell for many images: the most probable tokens and the rest as one number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse

_CHUNK = 4_096


@dataclass(frozen=True)
class Distributions:
    """Vocabulary distributions of n_images images at one (layer, position) cell.

    Attributes:
        tokens: (n_images, top_k) int32, token ids, most probable first.
        probabilities: (n_images, top_k) float32, true softmax probabilities over the whole
            vocabulary.
        n_vocab: size of the vocabulary.
    """

    tokens: np.ndarray
    probabilities: np.ndarray
    n_vocab: int

    @property
    def n_images(self) -> int:
        return len(self.tokens)

    @property
    def tail(self) -> np.ndarray:
        """(n_images,) float32, the probability of all tokens outside the top k."""
        return np.clip(1.0 - self.probabilities.sum(axis=1), 0.0, 1.0)

    @cached_property
    def occurring(self) -> np.ndarray:
        """(n_tokens,) the ids that occur, ascending."""
        occurs = np.zeros(self.n_vocab, dtype=bool)
        for some in self.chunks():
            occurs[self.tokens[some]] = True
        return np.flatnonzero(occurs)

    @cached_property
    def sums(self) -> np.ndarray:
        """(n_vocab,) float64, each token's probabilities added up over the images."""
        sums = np.zeros(self.n_vocab)
        for some in self.chunks():
            sums += np.bincount(
                self.tokens[some].ravel(), self.probabilities[some].ravel(), self.n_vocab
            )
        return sums

    def chunks(self) -> Iterator[slice]:
        """The rows in pieces, as NumPy counts in wider numbers, which the caches then hold."""
        for start in range(0, self.n_images, _CHUNK):
            yield slice(start, start + _CHUNK)

    def take(self, rows: np.ndarray | Sequence[int]) -> Distributions:
        """The distributions of some images."""
        return Distributions(self.tokens[rows], self.probabilities[rows], self.n_vocab)

    def to_csr(self) -> scipy.sparse.csr_matrix:
        """(n_images, n_vocab) float32 matrix of the probabilities; the tail is left out."""
        return by_column(self.tokens.copy(), self.probabilities, self.n_vocab)


def by_column(
    tokens: np.ndarray, probabilities: np.ndarray, n_vocab: int
) -> scipy.sparse.csr_matrix:
    """(n_images, n_vocab) float32 sums of each row's probabilities of the same token.

    Args:
        tokens: (n_images, top_k) int32, which the matrix takes over.
        probabilities: (n_images, top_k) float32.
    """
    n_images, top_k = tokens.shape
    indptr = np.arange(0, n_images * top_k + 1, top_k)
    # A copy, because summing duplicates sorts the matrix's arrays in place.
    parts = (probabilities.flatten(), tokens.reshape(-1), indptr)
    matrix = scipy.sparse.csr_matrix(parts, shape=(n_images, n_vocab))
    matrix.sum_duplicates()
    return matrix
