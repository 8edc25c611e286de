"""What the texts of a cluster say that the others do not: c-TF-IDF, and names made of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import scipy.sparse

from esmc_core.errors import Cancelled
from esmc_core.naming import DominantToken

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
_MAX_TERMS = 60_000
_NAME_TERMS = 3
_READ_BLOCK = 1_000
_PAIR_BONUS = 1.25


def distinctive_terms(
    texts: Sequence[str],
    labels: np.ndarray,
    *,
    n_terms: int = 10,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[list[DominantToken]]:
    """The terms of each cluster by c-TF-IDF, W_tc = tf_tc · log(1 + A / f_t).

    tf is the term's share of the cluster's terms, f how often it stands in the collection, A the
    mean number of terms of a cluster. Terms are words and pairs of neighbouring words, without
    the commonest English ones.

    Args:
        labels: (n_texts,) int, clusters from 0.
        progress: called with texts read and in all.

    Returns:
        For each cluster up to `n_terms` tokens: `probability` is the share of its texts with the
        term, `weight` the c-TF-IDF, `share` the same share.

    Raises:
        Cancelled: `should_stop` said so.
    """
    counts, terms = _count(_read(texts, progress, should_stop), len(texts))
    n_clusters = int(labels.max(initial=-1)) + 1
    sizes = np.bincount(labels, minlength=n_clusters)
    members = scipy.sparse.csr_matrix(
        (np.ones(len(labels)), (labels, np.arange(len(labels)))), (n_clusters, len(labels))
    )
    by_cluster = (members @ counts).tocsr()
    holding = (members @ (counts > 0).astype(np.float64)).tocsr()
    lengths = np.maximum(np.asarray(by_cluster.sum(axis=1)).ravel(), 1)
    totals = np.maximum(np.asarray(by_cluster.sum(axis=0)).ravel(), 1)
    inverse = np.log1p(lengths.mean() / totals)
    bonus = np.array([_PAIR_BONUS if " " in term else 1.0 for term in terms])
    found = []
    for cluster in range(n_clusters):
        row = by_cluster.getrow(cluster)
        weights = row.data / lengths[cluster] * inverse[row.indices]
        # A pair that is about as telling as one of its words says more.
        order = np.lexsort((row.indices, -weights * bonus[row.indices]))[: 4 * n_terms]
        shares = holding.getrow(cluster).toarray().ravel() / max(sizes[cluster], 1)
        ranked = [(row.indices[i], float(weights[i])) for i in order]
        tokens = [
            DominantToken(int(t), terms[t], float(shares[t]), weight, float(shares[t]))
            for t, weight in ranked
        ]
        found.append(_without_parts(tokens)[:n_terms])
    return found


def term_names(terms: Sequence[Sequence[DominantToken]]) -> list[str]:
    """A name for each cluster, no two the same: its two best terms, a third where needed."""
    names: list[str] = []
    taken: set[str] = set()
    for cluster, tokens in enumerate(terms):
        words = [token.text for token in tokens]
        options = [", ".join(words[:n]) for n in range(2, _NAME_TERMS + 1) if words[:n]]
        options.append(f"cluster {cluster + 1}")
        name = next((option for option in options if option not in taken), options[-1])
        taken.add(name)
        names.append(name)
    return names


def words_of(text: str) -> list[str]:
    """The words of a text in small letters; where a script has no blanks, pairs of letters."""
    words = []
    for word in _WORD.findall(text.lower()):
        if len(word) > 2 and _UNSPACED.search(word):
            words += [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            words.append(word)
    return words


def _read(
    texts: Sequence[str],
    progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> Iterator[str]:
    for done, text in enumerate(texts):
        if done % _READ_BLOCK == 0:
            if should_stop is not None and should_stop():
                raise Cancelled()
            if progress is not None:
                progress(done, len(texts))
        yield text


def _count(texts: Iterable[str], n_texts: int) -> tuple[scipy.sparse.csr_matrix, list[str]]:
    """(n_texts, n_terms) how often each term stands in each text, and the terms."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(analyzer=_terms_of, max_features=_MAX_TERMS)
    try:
        counts = vectorizer.fit_transform(texts)
    except ValueError:  # not one word in all of them
        return scipy.sparse.csr_matrix((n_texts, 1)), ["…"]
    return scipy.sparse.csr_matrix(counts, dtype=np.float64), list(
        vectorizer.get_feature_names_out()
    )


def _terms_of(text: str) -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = words_of(text)
    single = [word for word in words if word not in ENGLISH_STOP_WORDS and len(word) > 1]
    pairs = [
        f"{first} {second}"
        for first, second in itertools.pairwise(words)
        if first not in ENGLISH_STOP_WORDS and second not in ENGLISH_STOP_WORDS
    ]
    return single + pairs


def _without_parts(tokens: list[DominantToken]) -> list[DominantToken]:
    """Drop a term that says nothing beside a better one: "exchange" after "exchange rate"."""
    kept: list[DominantToken] = []
    for token in tokens:
        words = set(token.text.split())
        if not any(words <= set(k.text.split()) or words >= set(k.text.split()) for k in kept):
            kept.append(token)
    return kept
