"""How many clusters: pairs of texts along the hierarchy, and the F-beta of each number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from esmc_core.errors import InputError
from esmc_core.texts.hierarchy import MAX_CLUSTERS, Hierarchy
from esmc_core.texts.questions import Example, PairQuestion

BETA = 0.92
ROUNDS = 3
N_EXAMPLES = 4


@dataclass(frozen=True)
class Pair:
    """One text of each of the two clusters that a step merges; `n_clusters` before the merge."""

    first: int
    second: int
    n_clusters: int


@dataclass(frozen=True, eq=False)
class GranularityCurve:
    """How well each number of clusters agrees with the answers.

    Attributes:
        n_clusters: (n,) int64, ascending.
        f_beta: (n,) F-beta of "together in this partition" against "yes".
        precision: (n,) share of yes among the pairs that are together; 0 where none is.
        recall: (n,) share of the pairs answered yes that are together.
        n_answers: that the curve rests on.
    """

    n_clusters: np.ndarray
    f_beta: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    n_answers: int

    @property
    def best(self) -> int:
        """The number with the highest F-beta; of equal ones the middle."""
        equal = np.flatnonzero(np.isclose(self.f_beta, self.f_beta.max()))
        return int(self.n_clusters[equal[len(equal) // 2]])


def usual_count(n_texts: int) -> int:
    """A number of clusters to begin with where nobody has answered: √(n / 2), 2 to 100."""
    return min(max(2, round((n_texts / 2) ** 0.5)), 100, max(n_texts, 1))


def sample_pairs(
    hierarchy: Hierarchy,
    *,
    rounds: int = ROUNDS,
    max_clusters: int = MAX_CLUSTERS,
    seed: int = 0,
) -> list[Pair]:
    """For each step from 2 to `max_clusters` a text of either cluster that it merges.

    Args:
        rounds: pairs a step; small clusters may give fewer, as none is drawn twice.
    """
    rng = np.random.default_rng(seed)
    steps = range(2, min(max_clusters, hierarchy.n_leaves) + 1)
    merged = {step: hierarchy.merged_at(step) for step in steps}
    taken: set[tuple[int, int]] = set()
    pairs = []
    for _ in range(rounds):
        for step in steps:
            first, second = (int(rng.choice(cluster)) for cluster in merged[step])
            low, high = sorted((first, second))
            if (low, high) not in taken:
                taken.add((low, high))
                pairs.append(Pair(first, second, step))
    return pairs


def pair_questions(
    texts: Sequence[str],
    pairs: Sequence[Pair],
    perspective: str,
    examples: Sequence[Example] = (),
) -> list[PairQuestion]:
    """The questions about the pairs, in their order."""
    worked = tuple(examples)
    return [
        PairQuestion(texts[pair.first], texts[pair.second], perspective, worked) for pair in pairs
    ]


def suggest_examples(texts: Sequence[str], hierarchy: Hierarchy, *, seed: int = 0) -> list[Example]:
    """Four worked examples to start from, which the user corrects.

    Two pairs that a late, fine step merges are put down as together, two that a coarse step
    merges as apart. That is the embedder's guess, not the truth.
    """
    rng = np.random.default_rng(seed)
    finest = min(hierarchy.n_leaves, MAX_CLUSTERS)
    steps = [finest, max(2, finest - 1), 2, min(3, finest)]
    examples = []
    for number, step in enumerate(steps[:N_EXAMPLES]):
        first, second = (texts[int(rng.choice(part))] for part in hierarchy.merged_at(step))
        examples.append(Example(first, second, together=number < N_EXAMPLES // 2))
    return examples


def granularity_curve(
    hierarchy: Hierarchy,
    pairs: Sequence[Pair],
    answers: Sequence[int | None],
    *,
    beta: float = BETA,
    max_clusters: int = MAX_CLUSTERS,
) -> GranularityCurve:
    """The F-beta of each number of clusters from 2.

    F_β = (1 + β²) P R / (β² P + R), P and R the precision and recall of "the pair is together in
    the partition" against the answer "yes".

    Args:
        answers: (n_pairs,) 1 for yes, 0 for no, None for what was not answered.

    Raises:
        InputError: there is no answer, or the numbers differ.
    """
    if len(pairs) != len(answers):
        raise InputError(f"{len(answers)} answers do not fit {len(pairs)} pairs.", "Ask again.")
    known = [i for i, answer in enumerate(answers) if answer is not None]
    if not known:
        raise InputError("No pair has been answered yet.", "Answer some first.")
    first, second = np.array([(pairs[i].first, pairs[i].second) for i in known]).T
    yes = np.array([answers[i] for i in known], dtype=bool)
    counts = np.arange(2, min(max_clusters, hierarchy.n_leaves) + 1)
    precision, recall = np.zeros(len(counts)), np.zeros(len(counts))
    for i, count in enumerate(counts):
        labels = hierarchy.labels(int(count))
        together = labels[first] == labels[second]
        hits = (together & yes).sum()
        precision[i] = hits / max(together.sum(), 1)
        recall[i] = hits / max(yes.sum(), 1)
    weight = beta**2
    bottom = weight * precision + recall
    f_beta = (1 + weight) * precision * recall / np.where(bottom > 0, bottom, 1.0)
    return GranularityCurve(counts, f_beta, precision, recall, len(known))
