"""Spelling variants of a token: markers, case, composed letters, British and American forms.

Synonyms are not variants: "gray" and "grey" are one word here, "gray" and "silver" are two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np
import scipy.sparse

from esmc_core.distributions import Distributions, by_column

WORD_MARKERS = ("▁", "Ġ", " ")
TokenTexts = Callable[[Sequence[int]], list[str]]

_SPECIAL = re.compile(r"<[^<>\s]+>|\[[A-Z]+\d*\]|<\|.*\|>")
_AMERICAN = {
    "grey": "gray",
    "greyish": "grayish",
    "colour": "color",
    "colours": "colors",
    "coloured": "colored",
    "colourful": "colorful",
    "aluminium": "aluminum",
    "jewellery": "jewelry",
    "tyre": "tire",
    "tyres": "tires",
    "centre": "center",
    "metre": "meter",
    "theatre": "theater",
    "harbour": "harbor",
    "favourite": "favorite",
    "neighbour": "neighbor",
    "armour": "armor",
    "fibre": "fiber",
    "plough": "plow",
    "pyjamas": "pajamas",
    "moustache": "mustache",
    "aeroplane": "airplane",
    "aeroplanes": "airplanes",
    "doughnut": "donut",
    "yoghurt": "yogurt",
    "mould": "mold",
    "whisky": "whiskey",
    "storey": "story",
    "kerb": "curb",
    "catalogue": "catalog",
}


def starts_word(text: str) -> bool:
    """Whether a token's text says that a word begins with it."""
    return text.startswith(WORD_MARKERS)


def plain_text(text: str) -> str:
    """What a token stands for, without markers and byte-level disguise: "Ġcafé" is "café"."""
    text = _decode_bytes(text)
    text = text.removeprefix("##")
    for marker in WORD_MARKERS:
        text = text.replace(marker, " ")
    return text.strip()


@lru_cache(maxsize=1 << 17)  # asked of the whole vocabulary with every clustering and table
def canonical_text(text: str) -> str:
    """One form for all variants: "▁Red", "red", "RED" are "red", "Ġgrey" is "gray".

    Special tokens keep their exact text, so that no word is merged into them.
    """
    plain = plain_text(text)
    if not plain or _is_control(text):
        return text
    if not plain.isascii():  # which is its own normal form
        plain = unicodedata.normalize("NFKC", plain)
    plain = plain.casefold()
    return _AMERICAN.get(plain, plain)


def is_special(text: str) -> bool:
    """Whether a token is no text at all: empty, a control token, or a single byte."""
    return not plain_text(text) or _is_control(text)


def _is_control(text: str) -> bool:
    return _SPECIAL.fullmatch(text.strip()) is not None


def merge_columns(distributions: Distributions, token_texts: TokenTexts) -> Distributions:
    """Add up the probabilities of spelling variants.

    A merged column keeps the id of its variant with the highest probability over all images.
    A row that gets shorter is filled with its first token at probability 0.

    Args:
        distributions: of n_images images.
        token_texts: gives the texts of token ids.

    Returns:
        Distributions of the same shape; each row most probable first.
    """
    representative = _representatives(distributions, token_texts)
    tokens = np.empty(distributions.tokens.shape, np.int32)
    probabilities = np.empty(tokens.shape, np.float32)
    for some in distributions.chunks():
        tokens[some], probabilities[some] = _merge(
            representative[distributions.tokens[some]],
            distributions.probabilities[some].astype(np.float32),
        )
    return Distributions(tokens, probabilities, distributions.n_vocab)


def merged_matrix(distributions: Distributions, token_texts: TokenTexts) -> scipy.sparse.csr_matrix:
    """(n_images, n_vocab) float32 what `merge_columns` gives, by column; the tail is left out."""
    return merge_into(_representatives(distributions, token_texts), distributions)


def merge_into(representative: np.ndarray, distributions: Distributions) -> scipy.sparse.csr_matrix:
    """`merged_matrix`, where each token's representative is known; see `representatives`."""
    tokens = representative[distributions.tokens]
    return by_column(tokens, distributions.probabilities, distributions.n_vocab)


def _merge(tokens: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose equal tokens are added up, most probable first, (n_images, top_k) each.

    Places are sorted along with what they stand for in one number, several times as fast as
    sorting places by it.
    """
    top_k = tokens.shape[1]
    keys = (tokens.astype(np.int64) << 32) + np.arange(top_k)
    keys.sort(axis=1)
    tokens = keys >> 32
    probabilities = np.take_along_axis(probabilities, keys & 0xFFFFFFFF, axis=1)
    is_first = np.ones(tokens.shape, dtype=bool)
    is_first[:, 1:] = tokens[:, 1:] != tokens[:, :-1]
    group = np.cumsum(is_first, axis=1) - 1
    merged = np.zeros_like(probabilities)
    group_of_all = group + top_k * np.arange(len(tokens))[:, None]
    np.add.at(merged.reshape(-1), group_of_all.ravel(), probabilities.ravel())
    kept = np.zeros_like(tokens)
    np.put_along_axis(kept, group, tokens, axis=1)
    # The bits of floats that are not negative are in the order of the floats.
    keys = (-merged.view(np.int32).astype(np.int64) << 32) + np.arange(top_k)
    keys.sort(axis=1)
    places = keys & 0xFFFFFFFF
    merged = np.take_along_axis(merged, places, axis=1)
    kept = np.take_along_axis(kept, places, axis=1)
    return np.where(merged > 0, kept, kept[:, :1]), merged


def _representatives(distributions: Distributions, token_texts: TokenTexts) -> np.ndarray:
    return representatives(distributions.sums, distributions.occurring, token_texts)


def representatives(
    weights: np.ndarray, occurring: np.ndarray, token_texts: TokenTexts
) -> np.ndarray:
    """(n_vocab,) int32: for each token that occurs the id of its group's best variant.

    Args:
        weights: (n_vocab,) sum of each token's probabilities.
        occurring: (n_tokens,) ids of those that occur.
    """
    by_weight = occurring[np.argsort(-weights[occurring], kind="stable")]
    best: dict[str, int] = {}
    representative = np.arange(len(weights), dtype=np.int32)
    for token, text in zip(by_weight, token_texts(by_weight.tolist()), strict=True):
        representative[token] = best.setdefault(canonical_text(text), int(token))
    return representative


@cache
def _byte_of() -> dict[str, int]:
    """Byte-level BPE writes each byte as a printable letter; this is the way back."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + i): byte for i, byte in enumerate(others)}


def _decode_bytes(text: str) -> str:
    """Undo byte-level BPE's disguise where there is one; other texts come back unchanged."""
    if text.isascii():
        return text
    try:
        return bytes(_byte_of()[letter] for letter in text).decode()
    except (KeyError, UnicodeDecodeError):
        return text
