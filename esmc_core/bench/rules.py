"""Label-free rules that might do better than the default: tried, measured, taken up if they win.

Each takes what the default leaves behind (rows at the cells, runs of several seeds, the labels
after every epoch) and gives one partition a seed. All of them grow linearly with the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import scipy.sparse
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import TruncatedSVD
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from esmc_core.bench.case import Case, bench_folder
from esmc_core.bench.runs import Run, load_run, make_run, save_run
from esmc_core.bench.variants import HEADLINE
from esmc_core.cluster.estimator import Matrix
from esmc_core.records import key_of
from esmc_core.target import NEAR_EQUAL, Heatmap

N_VOTERS = 5
"""Runs that are put together: the seed's own and the next ones."""

_VERSION = 1


@dataclass(frozen=True)
class Evidence:
    """What a rule may use for one seed.

    Attributes:
        case: the question; gives rows at any cell.
        runs: this seed's run of the default and those of the next seeds, epochs included.
        seed: for what a rule draws itself.
    """

    case: Case
    runs: Sequence[Run]
    seed: int

    @property
    def rows(self) -> Matrix:
        """(n_images, n_vocab) ⁴√p at the suggested cell."""
        return self.case.cell_rows(*self.case.cell(HEADLINE))

    def kmeans(self, rows: Matrix) -> Run:
        """Plain K-means on other rows."""
        return make_run(rows, replace(self.case.settings, use_head=False, seed=self.seed))

    def whole(self, rows: Matrix) -> Run:
        """The whole method on other rows."""
        return make_run(rows, replace(self.case.settings, seed=self.seed))


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        title: what is said of it in a table.
        partition: makes a run of the evidence.
        has_head: whether the run's `before_head` says something of its own.
    """

    title: str
    partition: Callable[[Evidence], Run]
    has_head: bool = False


def choose_alpha(partitions: Mapping[float, Sequence[np.ndarray]], *, default: float) -> float:
    """The share α whose partitions agree best with one another over the seeds, without labels.

    Args:
        partitions: α → one (n_images,) partition a seed.
        default: taken among equals, and where there is one seed only.
    """
    scores = {alpha: _agreement(runs) for alpha, runs in partitions.items()}
    return max(scores, key=lambda alpha: (round(scores[alpha], 6), alpha == default))


def rule_runs(case: Case) -> dict[str, list[Run]]:
    """Every rule's runs, one a seed; kept on disk."""
    watched = case.runs(HEADLINE, watch=True)
    seeds = list(case.tools.seeds)
    folder = bench_folder(case.store().folder)
    found: dict[str, list[Run]] = {key: [] for key in RULES}
    with case.tools.stage(
        f"{case.collection.name}, {case.prompt}: rules", unit=" runs"
    ) as progress:
        for i, seed in enumerate(seeds):
            voters = [*range(i, len(seeds)), *range(i)][:N_VOTERS]
            evidence = Evidence(case, [watched[voter] for voter in voters], seed)
            for key, rule in RULES.items():
                path = folder / _file_name(key, case, seed, [seeds[voter] for voter in voters])
                run = load_run(path)
                if run is None:
                    run = rule.partition(evidence)
                    save_run(path, run)
                found[key].append(run)
            progress(i + 1, len(seeds))
    return found


def _file_name(rule: str, case: Case, seed: int, voters: Sequence[int]) -> str:
    key = key_of(rule=rule, settings=case.settings, seed=seed, voters=voters, version=_VERSION)
    return f"{key}.npz"


def epoch_vote(evidence: Evidence) -> Run:
    """The label that an image has most often over the head's epochs."""
    by_epoch = evidence.runs[0].by_epoch
    counts = [(by_epoch == k).sum(axis=0) for k in range(evidence.case.n_clusters)]
    return _plain(np.argmax(counts, axis=0))


def seed_vote(evidence: Evidence) -> Run:
    """The label that an image has most often over the seeds, matched to the first one's."""
    first = evidence.runs[0].labels
    n_clusters = evidence.case.n_clusters
    votes = np.zeros((len(first), n_clusters))
    for run in evidence.runs:
        votes[np.arange(len(first)), _matched(run.labels, first, n_clusters)] += 1
    return _plain(votes.argmax(axis=1))


def co_association(evidence: Evidence) -> Run:
    """K-means on the memberships over seeds and epochs: images that keep together stay so.

    The inner product of two images' rows is the share of partitions that join them.
    """
    partitions = [labels for run in evidence.runs for labels in run.by_epoch[::-10]]
    return evidence.kmeans(_memberships(partitions))


def spectral(evidence: Evidence) -> Run:
    """Normalised cut under the Bhattacharyya kernel Σ √p √q."""
    rows = scipy.sparse.csr_matrix(evidence.rows).power(2)
    degree = np.asarray(rows @ (rows.T @ np.ones(rows.shape[0]))).ravel()
    scaled = scipy.sparse.diags(1 / np.sqrt(np.maximum(degree, 1e-12))) @ rows
    return evidence.kmeans(_unit(_project(scaled, evidence.case.n_clusters, evidence.seed)))


def near_cells(evidence: Evidence) -> Run:
    """The whole method on all cells that the suggestion holds for equally good."""
    heatmap = evidence.case.heatmap()
    best = heatmap.values[:, heatmap.candidates].max()
    cells = [cell for cell in _candidates(heatmap) if heatmap.values[cell] >= NEAR_EQUAL * best]
    return evidence.whole(_side_by_side(evidence.case, cells))


def weighed_cells(evidence: Evidence) -> Run:
    """The whole method on every candidate cell, squared distances weighed by its score."""
    heatmap = evidence.case.heatmap()
    cells = [cell for cell in _candidates(heatmap) if heatmap.values[cell] > 0]
    weights = [float(np.sqrt(heatmap.values[cell])) for cell in cells]
    return evidence.whole(_side_by_side(evidence.case, cells, weights))


def late_layers(evidence: Evidence) -> Run:
    """The whole method on the suggested position in the last three layers, side by side."""
    position = evidence.case.cell(HEADLINE)[1]
    last = evidence.case.store().spec.n_layers
    cells = [(layer, position) for layer in range(max(1, last - 2), last + 1)]
    return evidence.whole(_side_by_side(evidence.case, cells))


def mixture(evidence: Evidence) -> Run:
    """A Gaussian mixture with one shared covariance on the K main directions of ⁴√p."""
    n_clusters = evidence.case.n_clusters
    main = _project(evidence.rows, n_clusters, evidence.seed)
    model = GaussianMixture(
        n_clusters, covariance_type="tied", reg_covar=1e-4, n_init=3, random_state=evidence.seed
    )
    return _plain(model.fit_predict(main))


RULES: dict[str, Rule] = {
    "rule_epoch_vote": Rule("majority over the head's epochs", epoch_vote),
    "rule_seed_vote": Rule(f"majority over {N_VOTERS} seeds", seed_vote),
    "rule_co_association": Rule(f"co-association over {N_VOTERS} seeds' epochs", co_association),
    "rule_spectral": Rule("spectral, Bhattacharyya kernel", spectral),
    "rule_near_cells": Rule("near-equal cells side by side", near_cells, has_head=True),
    "rule_weighed_cells": Rule("all cells, weighed by their score", weighed_cells, has_head=True),
    "rule_late_layers": Rule("last three layers side by side", late_layers, has_head=True),
    "rule_mixture": Rule("Gaussian mixture on main directions", mixture),
}
"""Row key → rule."""


def _plain(labels: np.ndarray) -> Run:
    """A run that has no more than labels."""
    return Run(labels, labels, labels[:0], labels[None][:0])


def _agreement(partitions: Sequence[np.ndarray]) -> float:
    """Mean adjusted Rand index between partitions; 0 for a single one."""
    pairs = [adjusted_rand_score(a, b) for a, b in combinations(partitions, 2)]
    return float(np.mean(pairs)) if pairs else 0.0


def _matched(labels: np.ndarray, reference: np.ndarray, n_clusters: int) -> np.ndarray:
    """`labels` in the numbering of `reference` that agrees with it best."""
    table = np.zeros((n_clusters, n_clusters), int)
    np.add.at(table, (labels, reference), 1)
    _, columns = linear_sum_assignment(table, maximize=True)
    return columns[labels]


def _memberships(partitions: Sequence[np.ndarray]) -> scipy.sparse.csr_matrix:
    """(n_images, clusters of all partitions) float32, rows of unit length."""
    n_images = len(partitions[0])
    images = np.arange(n_images)
    blocks = [
        scipy.sparse.csr_matrix((np.ones(n_images, np.float32), (images, labels)))
        for labels in partitions
    ]
    return scipy.sparse.hstack(blocks).tocsr() / np.float32(np.sqrt(len(partitions)))


def _candidates(heatmap: Heatmap) -> list[tuple[int, int]]:
    """Every (layer, position) that might be suggested."""
    layers = range(len(heatmap.values))
    return [(layer, position) for position in heatmap.candidates for layer in layers]


def _side_by_side(
    case: Case, cells: Sequence[tuple[int, int]], weights: Sequence[float] | None = None
) -> Matrix:
    """The cells' rows in one; none at all (a flat heatmap) is the suggested cell's."""
    chosen = cells or [case.cell(HEADLINE)]
    blocks = [case.cell_rows(*cell) for cell in chosen]
    if cells and weights:
        blocks = [rows * weight for rows, weight in zip(blocks, weights, strict=True)]
    return scipy.sparse.hstack(blocks).tocsr()


def _project(rows: Matrix, n_directions: int, seed: int) -> np.ndarray:
    """(n_images, n_directions) on the largest singular directions."""
    n_directions = min(n_directions, *(side - 1 for side in rows.shape))
    return TruncatedSVD(n_directions, random_state=seed).fit_transform(rows)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
