"""The record of a clustering, in memory and on disk."""

from __future__ import annotations

import dataclasses
import io
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from esmc_core.errors import InputError, StoreError
from esmc_core.naming import DominantToken
from esmc_core.palette import cluster_colours, named_colour
from esmc_core.records import key_of, read_json, write_bytes, write_json

_RECORD, _ARRAYS = "clustering.json", "arrays.npz"
_VERSION = 1
_MAX_NAME = 80
Geometry = Literal["fourth_root", "hellinger", "euclidean"]
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, OSError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class ClusterSettings:
    """What the user chose; the defaults are settled in docs/benchmarks.md.

    Attributes:
        n_clusters: K.
        alpha: share of each cluster that teaches the head.
        representation: "vocabulary" clusters the lens's words, "hidden" the hidden state.
        geometry: of the vocabulary; "fourth_root" clusters ⁴√p, in which rare answers count most,
            "hellinger" √p, "euclidean" p.
        merge_spelling: add up spelling variants before clustering.
        use_head: False stops after K-means.
        labels_from: "head_kmeans", K-means on the head's outputs, or their "argmax", which
            may leave small clusters empty.
        epochs, learning_rate: of the head.
    """

    n_clusters: int = 8
    alpha: float = 0.6
    representation: Literal["vocabulary", "hidden"] = "vocabulary"
    geometry: Geometry = "fourth_root"
    merge_spelling: bool = True
    use_head: bool = True
    labels_from: Literal["head_kmeans", "argmax"] = "head_kmeans"
    n_init: int = 10
    epochs: int = 200
    learning_rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True)
class Source:
    """What was clustered: a cell of a pass.

    Attributes:
        pass_key: of the lens store.
        layer: 0 = embeddings.
        position: among the prompt positions.
    """

    pass_key: str = ""
    layer: int = 0
    position: int = 0


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters of the images of one pass, by the lens at one cell.

    Attributes:
        settings: what was asked for.
        source: what was clustered.
        labels: (n_images,) int64, clusters from 0, the largest first.
        confidence: (n_images,) float32 in [0, 1], see ESMCClustering.
        distances: (n_images,) float32, Euclidean, to the own cluster's centre.
        automatic_names: (n_clusters,) made from the dominant tokens.
        dominant_tokens: (n_clusters,) tokens of each cluster, the most telling first.
        user_names: names given by the user, by cluster.
    """

    settings: ClusterSettings
    source: Source
    labels: np.ndarray
    confidence: np.ndarray
    distances: np.ndarray
    automatic_names: tuple[str, ...]
    dominant_tokens: tuple[tuple[DominantToken, ...], ...]
    user_names: Mapping[int, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Of the settings and the source; renaming a cluster does not change it."""
        return clustering_key(self.settings, self.source)

    @property
    def n_images(self) -> int:
        return len(self.labels)

    @property
    def n_clusters(self) -> int:
        """Clusters that have images; fewer than asked for where the head left some empty."""
        return len(self.automatic_names)

    @property
    def sizes(self) -> np.ndarray:
        """(n_clusters,) images of each cluster."""
        return np.bincount(self.labels, minlength=self.n_clusters)

    @property
    def names(self) -> list[str]:
        """(n_clusters,) the user's name where there is one, else the automatic one."""
        return [self.user_names.get(i, name) for i, name in enumerate(self.automatic_names)]

    @property
    def colours(self) -> list[str]:
        """(n_clusters,) "#rrggbb", no two the same.

        A new name changes a cluster's colour only if it is the name of a colour.
        """
        pairs = zip(self.names, self.automatic_names, strict=True)
        return cluster_colours([name if named_colour(name) else own for name, own in pairs])

    def members(self, cluster: int) -> np.ndarray:
        """The images of a cluster, most confident first, among equals the nearest first."""
        images = np.flatnonzero(self.labels == cluster)
        return images[np.lexsort((self.distances[images], -self.confidence[images]))]

    def renamed(self, cluster: int, name: str) -> Clustering:
        """The same clustering with another name for one cluster; "" gives back its own.

        Raises:
            InputError: there is no such cluster, or the name is too long.
        """
        if not 0 <= cluster < self.n_clusters:
            raise InputError(
                f"There is no cluster {cluster + 1} among {self.n_clusters}.", "Choose another."
            )
        name = " ".join(name.split())
        if len(name) > _MAX_NAME:
            raise InputError(
                f"A name of {len(name)} characters is too long.", f"Keep to {_MAX_NAME}."
            )
        names = {i: given for i, given in self.user_names.items() if i != cluster}
        if name and name != self.automatic_names[cluster]:
            names[cluster] = name
        return dataclasses.replace(self, user_names=names)


def clustering_key(settings: ClusterSettings, source: Source) -> str:
    """The name of a clustering on disk, known before it is made."""
    return key_of(settings=settings, source=source, version=_VERSION)


def save_clustering(folder: Path, clustering: Clustering) -> None:
    """Write a clustering; a new `folder` appears only once it is complete."""
    if folder.exists():
        _write(folder, clustering)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-") as temporary:
        complete = Path(temporary) / folder.name
        _write(complete, clustering)
        try:
            complete.rename(folder)
        except OSError:
            if not folder.exists():  # else somebody was faster, with the same content
                raise


def save_names(folder: Path, clustering: Clustering) -> None:
    """Write only the record, which holds the names; for a clustering that is already saved."""
    record = {
        "version": _VERSION,
        "settings": clustering.settings,
        "source": clustering.source,
        "automatic_names": clustering.automatic_names,
        "user_names": {str(cluster): name for cluster, name in clustering.user_names.items()},
        "dominant_tokens": [
            [dataclasses.asdict(shown) for shown in tokens] for tokens in clustering.dominant_tokens
        ],
    }
    write_json(folder / _RECORD, record)


def _write(folder: Path, clustering: Clustering) -> None:
    arrays = io.BytesIO()
    np.savez(
        arrays,
        labels=clustering.labels,
        confidence=clustering.confidence,
        distances=clustering.distances,
    )
    write_bytes(folder / _ARRAYS, arrays.getvalue())
    save_names(folder, clustering)


def load_clustering(folder: Path) -> Clustering:
    """Read a clustering; raise StoreError if it is missing, damaged or of another version."""
    record = read_json(folder / _RECORD)
    try:
        return _clustering_of(record, _read_arrays(folder / _ARRAYS))
    except _DAMAGE as error:
        raise StoreError(
            f"The clustering {folder} cannot be read ({error}).", "Delete it."
        ) from error


def _clustering_of(record: dict[str, Any], arrays: dict[str, np.ndarray]) -> Clustering:
    if record["version"] != _VERSION:
        raise ValueError(f"version {record['version']}, not {_VERSION}")
    clustering = Clustering(
        settings=ClusterSettings(**record["settings"]),
        source=Source(**record["source"]),
        automatic_names=tuple(record["automatic_names"]),
        user_names={int(cluster): str(name) for cluster, name in record["user_names"].items()},
        dominant_tokens=tuple(
            tuple(DominantToken(**shown) for shown in tokens)
            for tokens in record["dominant_tokens"]
        ),
        **arrays,
    )
    lengths = {len(array) for array in arrays.values()}
    highest = int(clustering.labels.max(initial=-1))
    if len(lengths) != 1 or highest >= clustering.n_clusters:
        raise ValueError("its parts do not fit together")
    return clustering


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in ("labels", "confidence", "distances")}
