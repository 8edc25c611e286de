"""The lens at one cell for many images: the most probable tokens and the rest as one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse


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
        return np.flatnonzero(np.bincount(self.tokens.ravel()))

    def take(self, rows: np.ndarray | Sequence[int]) -> Distributions:
        """The distributions of some images."""
        return Distributions(self.tokens[rows], self.probabilities[rows], self.n_vocab)

    def to_csr(self) -> scipy.sparse.csr_matrix:
        """(n_images, n_vocab) float32 matrix of the probabilities; the tail is left out."""
        n_images, top_k = self.tokens.shape
        indptr = np.arange(0, n_images * top_k + 1, top_k)
        shape = (n_images, self.n_vocab)
        # Copies, because summing duplicates sorts the matrix's arrays in place.
        parts = (self.probabilities.flatten(), self.tokens.flatten(), indptr)
        matrix = scipy.sparse.csr_matrix(parts, shape=shape)
        matrix.sum_duplicates()
        return matrix
