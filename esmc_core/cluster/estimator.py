"""ESMC's clustering as a scikit-learn estimator: K-means, pseudo-labels, head, labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse
import torch
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import check_random_state

from esmc_core.cluster.head import Head, train_head
from esmc_core.cluster.kmeans import KMeansResult, fit_kmeans, refine
from esmc_core.cluster.pseudo_labels import choose_pseudo_labels
from esmc_core.cluster.rows import DenseRows, Rows, count_distinct_rows, rows_of
from esmc_core.errors import InputError
from esmc_core.threads import threads_for

Progress = Callable[[int, int], None]
OnEpoch = Callable[[int, np.ndarray, np.ndarray], None]
Matrix: TypeAlias = np.ndarray | scipy.sparse.csr_matrix


class ESMCClustering(ClusterMixin, BaseEstimator):
    """Clusters of rows by the ESMC paper's four steps (Eqs. 4 to 7).

    K-means; pseudo-labels for the share `alpha` nearest to each centroid; a head trained on
    them; labels from the head. Clusters are numbered by size, the largest first, and among
    equal ones the one that appears first.

    Args:
        n_clusters: how many clusters, 1 to the number of rows.
        alpha: share of each cluster that gets a pseudo-label, in (0, 1].
        use_head: False stops after K-means.
        labels_from: "head_kmeans", K-means on the head's outputs (as the paper's code does),
            started at the mean output of each pseudo-class so that cluster and class stay the
            same; or "argmax" of the outputs, which may leave small clusters empty.
        n_init: k-means++ starts, the best is kept.
        epochs, learning_rate, batch_size: of the head, see `train_head`; the paper's learning rate
            is 1e-4.
        random_state: int, RandomState or None; the same int gives the same labels.
        device: a torch device, "cpu" or "cuda"; for "mps" the CPU is used.

    Attributes:
        labels_: (n_rows,) int64.
        kmeans_labels_: (n_rows,) int64, labels before the head, in the same numbering.
        pseudo_labels_: (n_rows,) int64, what the head was trained on, -1 = left out; without a
            head all are -1.
        cluster_centers_: (n_clusters, n_features) float32, means of the rows of each cluster
            (a cluster that the head left empty keeps its K-means centroid).
        distances_: (n_rows,) float32, Euclidean distance to the own cluster's centre.
        confidence_: (n_rows,) float32 in [0, 1]. With a head its softmax probability of the
            row's cluster; without one the simplified silhouette 1 - a / b, a the distance to the
            own centre and b to the next (1 where there is only one cluster).
        inertia_: sum of squared distances of K-means (Eq. 4).
        n_iter_: iterations of the best K-means run.
        n_features_in_: number of columns.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        alpha: float = 0.6,
        use_head: bool = True,
        labels_from: Literal["head_kmeans", "argmax"] = "head_kmeans",
        n_init: int = 10,
        epochs: int = 200,
        learning_rate: float = 1e-3,
        batch_size: int = 256,
        random_state: int | np.random.RandomState | None = 0,
        device: str = "cpu",
    ) -> None:
        self.n_clusters = n_clusters
        self.alpha = alpha
        self.use_head = use_head
        self.labels_from = labels_from
        self.n_init = n_init
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device

    def fit(
        self,
        X: Matrix,
        y: Any = None,
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> ESMCClustering:
        """Cluster the rows of X.

        Args:
            X: (n_rows, n_features) floats, dense or scipy sparse.
            y: ignored.
            progress: called with the head's epochs done and in all; without a head with K-means'
                rows, see `fit_kmeans`.
            on_epoch: to watch the head learn: called after each of its epochs with the number,
                from 1, its (n_rows, n_clusters) float32 outputs, and the (n_rows,) int64 labels
                that it would give if it stopped there, all in K-means' own numbering.

        Raises:
            InputError: more clusters than (different) rows, NaN in X, a setting out of range.
            Cancelled: `should_stop` said so.
        """
        self._check_settings()
        check_matrix(X, self.n_clusters)
        with threads_for(X.shape[0]):
            self._fit(X, progress, should_stop, on_epoch)
        return self

    def _fit(
        self,
        matrix: Matrix,
        progress: Progress | None,
        should_stop: Callable[[], bool] | None,
        on_epoch: OnEpoch | None,
    ) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        rows = rows_of(matrix, device=self.device)
        found = fit_kmeans(
            rows,
            self.n_clusters,
            n_init=self.n_init,
            seed=seed,
            progress=None if self.use_head else progress,
            should_stop=should_stop,
        )
        if self.use_head:
            labels, confidence, pseudo = self._run_head(
                rows, found, seed, progress, should_stop, on_epoch
            )
        else:
            labels, confidence = found.labels, _silhouette_margin(rows, found)
            pseudo = torch.full_like(labels, -1)
        self.n_features_in_ = matrix.shape[1]
        self.inertia_, self.n_iter_ = found.inertia, found.n_iter
        self._store(rows, found, labels, confidence, pseudo)

    def _run_head(
        self,
        rows: Rows,
        found: KMeansResult,
        seed: int,
        progress: Progress | None,
        should_stop: Callable[[], bool] | None,
        on_epoch: OnEpoch | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Labels, confidence and pseudo-labels of the rows, all in K-means' numbering."""
        chosen = choose_pseudo_labels(
            found.labels.cpu().numpy(), found.squared_distances.cpu().numpy(), alpha=self.alpha
        )
        pseudo = torch.from_numpy(chosen).to(rows.device)

        def report(epoch: int) -> None:
            if progress is not None:
                progress(epoch, self.epochs)

        def after(epoch: int, head: Head) -> None:
            if on_epoch is not None:
                outputs = head.outputs(rows)
                labels = self._labels_of(outputs, pseudo)
                on_epoch(epoch, outputs.cpu().numpy(), labels.cpu().numpy())

        head = train_head(
            rows,
            pseudo,
            self.n_clusters,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            seed=seed,
            progress=report,
            on_epoch=None if on_epoch is None else after,
            should_stop=should_stop,
        )
        outputs = head.outputs(rows)
        labels = self._labels_of(outputs, pseudo)
        confidence = outputs.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
        return labels, confidence, pseudo

    def _labels_of(self, outputs: torch.Tensor, pseudo: torch.Tensor) -> torch.Tensor:
        """(n_rows,) the labels that the head's outputs stand for, in K-means' numbering."""
        if self.labels_from == "head_kmeans":
            return cluster_outputs(outputs, pseudo, self.n_clusters)
        return outputs.argmax(dim=1)

    def _store(
        self,
        rows: Rows,
        found: KMeansResult,
        labels: torch.Tensor,
        confidence: torch.Tensor,
        pseudo: torch.Tensor,
    ) -> None:
        order = _order_by_size(labels, self.n_clusters)
        number = torch.empty_like(order)
        number[order] = torch.arange(self.n_clusters, device=order.device)
        centroids = rows.centroids(labels, self.n_clusters)
        sizes = torch.bincount(labels, minlength=self.n_clusters)
        centroids = torch.where(sizes[:, None] > 0, centroids, found.centroids)
        distances = rows.squared_distances(centroids).gather(1, labels[:, None]).squeeze(1).sqrt()
        self.labels_ = number[labels].cpu().numpy()
        self.kmeans_labels_ = number[found.labels].cpu().numpy()
        self.pseudo_labels_ = torch.where(pseudo < 0, pseudo, number[pseudo]).cpu().numpy()
        self.cluster_centers_ = rows.expand(centroids[order])
        self.distances_ = distances.cpu().numpy()
        self.confidence_ = confidence.clamp(0, 1).cpu().numpy()

    def _check_settings(self) -> None:
        if self.n_clusters < 1:
            raise InputError(
                f"{self.n_clusters} clusters cannot be formed.", "Ask for 1 cluster or more."
            )
        if not 0 < self.alpha <= 1:
            raise InputError(
                f"The share of images that teach the head is {self.alpha}.",
                "It has to be above 0 and at most 1.",
            )
        if self.labels_from not in ("argmax", "head_kmeans"):
            raise InputError(
                f"Labels cannot come from {self.labels_from!r}.",
                "Choose 'argmax' or 'head_kmeans'.",
            )


def check_matrix(matrix: Matrix, n_clusters: int) -> None:
    """Raise InputError unless the rows are finite and can form so many clusters."""
    if getattr(matrix, "ndim", 0) != 2:
        raise InputError("The rows to cluster are no table.", "Give an array of two dimensions.")
    n_rows = matrix.shape[0]
    values = matrix.data if scipy.sparse.issparse(matrix) else matrix
    if not np.isfinite(values).all():
        raise InputError(
            "Some of the numbers to cluster are not finite.", "Run the model over the images again."
        )
    if n_rows < n_clusters:
        raise InputError(*_too_many_clusters(f"{n_rows} images", n_clusters, n_rows))
    n_distinct = count_distinct_rows(matrix, n_clusters)
    if n_distinct < n_clusters:
        what = f"{n_rows} images with only {n_distinct} different answers"
        raise InputError(*_too_many_clusters(what, n_clusters, n_distinct))


def _too_many_clusters(what: str, n_clusters: int, limit: int) -> tuple[str, str]:
    noun = "cluster" if n_clusters == 1 else "clusters"
    hint = f"Lower the number to {limit} or fewer." if limit else "Add some images."
    return f"{what} cannot form {n_clusters} {noun}.", hint


def cluster_outputs(outputs: torch.Tensor, pseudo: torch.Tensor, n_clusters: int) -> torch.Tensor:
    """K-means on the head's (n_rows, n_clusters) outputs, cluster k started at class k."""
    rows = DenseRows.from_array(outputs.cpu().numpy(), device=str(outputs.device))
    taught = (pseudo >= 0).nonzero().squeeze(1)
    start = rows.take(taught).centroids(pseudo[taught], n_clusters)
    return refine(rows, start).labels


def _silhouette_margin(rows: Rows, found: KMeansResult) -> torch.Tensor:
    if len(found.centroids) == 1:
        return torch.ones_like(found.squared_distances)
    distances = rows.squared_distances(found.centroids).sqrt()
    own, other = distances.topk(2, dim=1, largest=False).values.unbind(dim=1)
    return torch.where(other > 0, 1 - own / other.clamp(min=1e-12), 0.0)


def _order_by_size(labels: torch.Tensor, n_clusters: int) -> torch.Tensor:
    """(n_clusters,) the clusters, largest first, ties by their first row, empty ones last."""
    found = labels.cpu().numpy()
    sizes = np.bincount(found, minlength=n_clusters)
    first = np.full(n_clusters, len(found))
    np.minimum.at(first, found, np.arange(len(found)))
    return torch.from_numpy(np.lexsort((first, -sizes))).to(labels.device)
