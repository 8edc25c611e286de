"""Two embeddings of the same texts side by side: before a round of tuning, and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from esmc_core.cluster.clustering import Clustering
from esmc_core.errors import Cancelled
from esmc_core.metrics import Agreement, compare_with_truth
from esmc_core.texts.clustering import changed_neighbours

N_PROBED = 200
N_NEIGHBOURS = 10


@dataclass(frozen=True)
class ChangedText:
    """A text among other neighbours than before.

    Attributes:
        text: its number.
        kept: share of its nearest neighbours that stayed, 0 to 1.
        before, after: the nearest that left, and the nearest that came; numbers of texts.
    """

    text: int
    kept: float
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a round changed.

    Attributes:
        before, after: the same number of clusters by the embedding before and after.
        agreement: with the user's labels, before and after; None without labels.
        changed: texts whose neighbours changed, the most changed first.
        mean_kept: share of neighbours that stayed, over the texts that were looked at.
    """

    before: Clustering
    after: Clustering
    agreement: tuple[Agreement, Agreement] | None
    changed: tuple[ChangedText, ...]
    mean_kept: float


def compare(
    before: Clustering,
    after: Clustering,
    embeddings_before: np.ndarray,
    embeddings_after: np.ndarray,
    *,
    labels: Sequence[str] | None = None,
    n_changed: int = 20,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Compare two clusterings, and the neighbours of some texts.

    Args:
        embeddings_before, embeddings_after: (n_texts, d) float32 of length 1.
        labels: (n_texts,) the user's, "" where there is none.
        progress: called with texts done and in all whose neighbours are compared.

    Raises:
        Cancelled: `should_stop` said so.
    """
    agreement = None
    if labels is not None and any(labels):
        agreement = (
            compare_with_truth(before.labels, labels),
            compare_with_truth(after.labels, labels),
        )
    changed = _changed_texts(embeddings_before, embeddings_after, progress, should_stop)
    mean_kept = float(np.mean([found.kept for found in changed])) if changed else 1.0
    most = sorted(changed, key=lambda found: found.kept)[:n_changed]
    shown = tuple(found for found in most if found.kept < 1)
    return Comparison(before, after, agreement, shown, mean_kept)


def matched_colours(before: Clustering, after: Clustering) -> list[str]:
    """(n_clusters,) colours for the clusters before, each that of its counterpart after.

    Counterparts are found so that as many texts as possible keep their colour.
    """
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((before.n_clusters, after.n_clusters))
    np.add.at(counts, (before.labels, after.labels), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    colours = list(before.colours)
    for row, column in zip(rows, columns, strict=True):
        colours[row] = after.colours[column]
    return colours


def _changed_texts(
    before: np.ndarray,
    after: np.ndarray,
    progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> list[ChangedText]:
    n_texts = len(before)
    probed = np.random.default_rng(0).permutation(n_texts)[:N_PROBED]
    before, after = np.asarray(before), np.asarray(after)
    found = []
    for done, text in enumerate(probed.tolist()):
        if should_stop is not None and should_stop():
            raise Cancelled()
        if progress is not None:
            progress(done, len(probed))
        old, new = changed_neighbours(before, after, text, n_neighbours=N_NEIGHBOURS)
        left, came = old[~np.isin(old, new)], new[~np.isin(new, old)]
        kept = 1 - len(left) / max(len(old), 1)
        found.append(ChangedText(text, kept, tuple(left.tolist()), tuple(came.tolist())))
    return found
