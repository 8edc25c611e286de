"""Everything under one home folder: collections, the passes over them, their clusterings."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esmc_core.config import Config
from esmc_core.errors import InputError, StoreError
from esmc_core.images import Collection, Library
from esmc_core.lens_store import LensStore, hidden_path
from esmc_core.records import key_of, write_bytes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from PIL import Image

    from esmc_core.cluster.clustering import Clustering, ClusterSettings
    from esmc_core.feature_store import FeatureStore
    from esmc_core.models.model import Lens, VisionLanguageModel

IN_MEMORY_IMAGES = 500_000
"""Up to here the rows of a cell are clustered in memory, beyond it in chunks."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PassSummary:
    """A pass in a list.

    Attributes:
        n_done: images finished, of `n_images`.
        used: ISO time of the last change.
    """

    key: str
    criterion: str
    model: str
    n_done: int
    n_images: int
    used: str


class Workspace:
    """What the app and the command line share.

    Attributes:
        library: the collections.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config.from_env()
        self.library = Library(self.config.home)

    def passes_folder(self, collection: str) -> Path:
        """Where the passes over a collection lie."""
        return self.library.folder(collection) / "passes"

    def create_pass(
        self,
        collection: Collection,
        model: VisionLanguageModel,
        criterion: str,
        *,
        lens: Lens = "norm",
        batch_size: int | None = None,
    ) -> LensStore:
        """The pass of the model over the collection, new or as it was left.

        Args:
            batch_size: of a new pass; the model's own if None.

        Raises:
            InputError: the criterion cannot be read, or the collection has been deleted.
        """
        from esmc_core.extract import pass_spec

        self.library.load(collection.key)

        spec = pass_spec(
            model,
            collection=collection.key,
            criterion=criterion,
            n_images=collection.n_images,
            lens=lens,
            batch_size=batch_size,
        )
        return LensStore.create(self.passes_folder(collection.key), spec, model.vocabulary())

    def features(self, collection: Collection, model: VisionLanguageModel) -> FeatureStore | None:
        """What the model saw in the pictures, for later criteria; None if it takes too much room.

        It lies with the collection and is deleted with it.
        """
        from esmc_core.feature_store import FeatureStore, is_small
        from esmc_core.models.vision import features_shape

        shape = features_shape(model)
        if shape is None or not is_small(shape):
            return None
        return FeatureStore.create(
            self.library.folder(collection.key) / "features",
            model.fingerprint,
            n_images=collection.n_images,
            shape=shape,
        )

    def open_pass(self, collection: str, key: str) -> LensStore:
        """Reopen a pass; raise StoreError if it is missing or damaged."""
        return LensStore.open(_child(self.passes_folder(collection), key))

    def list_passes(self, collection: str) -> list[PassSummary]:
        """The passes over a collection, last used first; damaged ones are left out."""
        summaries = []
        for store in self._passes(collection):
            used = datetime.fromtimestamp((store.folder / "done.u8").stat().st_mtime, UTC)
            spec = store.spec
            summaries.append(
                PassSummary(
                    store.key,
                    spec.criterion,
                    spec.model,
                    store.n_done,
                    spec.n_images,
                    used.isoformat(timespec="seconds"),
                )
            )
        return sorted(summaries, key=lambda summary: summary.used, reverse=True)

    def damaged_passes(self, collection: str) -> list[str]:
        """Keys of the passes that cannot be read; they can only be deleted."""
        sound = {store.folder.name for store in self._passes(collection)}
        folders = (path for path in self.passes_folder(collection).glob("*") if path.is_dir())
        return sorted(path.name for path in folders if path.name not in sound)

    def _passes(self, collection: str) -> Iterator[LensStore]:
        for folder in self.passes_folder(collection).glob("*"):
            try:
                store = LensStore.open(folder)
            except StoreError:
                continue
            if store.key == folder.name:  # else its record has been changed
                yield store

    def delete_pass(self, collection: str, key: str) -> None:
        """Delete a pass, also a damaged one; raise StoreError if it is missing."""
        _delete(_child(self.passes_folder(collection), key))

    def cluster(
        self,
        store: LensStore,
        settings: ClusterSettings,
        *,
        layer: int,
        position: int,
        hidden: np.ndarray | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Clustering:
        """Cluster the pass's images by one cell, or reopen that clustering; it is saved.

        A saved one that is damaged is made anew, without the names that the user gave.

        Args:
            hidden: (n_images, d_model) for settings.representation "hidden".

        Raises:
            InputError: the pass is not complete, the cell is outside, or K does not fit.
            Cancelled: `should_stop` said so.
        """
        from esmc_core.cluster import pipeline
        from esmc_core.cluster.clustering import Source, clustering_key, save_clustering

        self.check_cell(store, layer, position)
        self.check_complete(store)
        source = Source(store.key, layer, position)
        folder = self._clusterings(store) / clustering_key(settings, source)
        if folder.exists():
            try:
                return self.open_clustering(store, folder.name)
            except StoreError as error:
                logger.warning("%s It is made anew.", error.message)
        options: dict[str, Any] = {
            "settings": settings,
            "source": source,
            "progress": progress,
            "should_stop": should_stop,
        }
        if settings.representation == "hidden":
            if hidden is None:
                raise InputError("The hidden states are needed.", "Run the hidden pass first.")
            cell = store.cell(layer, position)
            found = pipeline.cluster_hidden_states(hidden, cell, store.token_texts, **options)
        elif store.spec.n_images > IN_MEMORY_IMAGES:
            found = self._cluster_many(store, layer, position, options)
        else:
            cell = store.cell(layer, position)
            found = pipeline.cluster_distributions(cell, store.token_texts, **options)
        if not store.folder.exists():
            raise StoreError("The pass has been deleted meanwhile.", "Run it again.")
        save_clustering(folder, found)
        return found

    def _cluster_many(
        self, store: LensStore, layer: int, position: int, options: dict[str, Any]
    ) -> Clustering:
        """A chunk at a time, in bounded memory."""
        from esmc_core.cluster.large_pipeline import cluster_chunks
        from esmc_core.cluster.streams import CHUNK_ROWS

        return cluster_chunks(
            lambda: store.cell_chunks(layer, position, n_rows=CHUNK_ROWS),
            store.spec.n_images,
            store.spec.n_vocab,
            store.token_texts,
            **options,
        )

    def check_cell(self, store: LensStore, layer: int, position: int) -> None:
        """Raise InputError unless the pass has the cell."""
        last_layer, last_position = store.spec.n_layers, store.spec.n_positions - 1
        if not 0 <= layer <= last_layer:
            raise InputError(f"There is no layer {layer}.", f"Layers run from 0 to {last_layer}.")
        if not 0 <= position <= last_position:
            raise InputError(
                f"There is no position {position}.", f"Positions run from 0 to {last_position}."
            )

    def check_complete(self, store: LensStore) -> None:
        """Raise InputError unless the pass has looked at every picture."""
        if not store.is_complete:
            raise InputError(
                f"Only {store.n_done} of {store.spec.n_images} pictures have been looked at.",
                "Let the pass finish first.",
            )

    def open_clustering(self, store: LensStore, key: str) -> Clustering:
        """Reopen a clustering; raise StoreError if it is missing or damaged."""
        from esmc_core.cluster.clustering import load_clustering

        return load_clustering(_child(self._clusterings(store), key))

    def rename_cluster(self, store: LensStore, key: str, cluster: int, name: str) -> Clustering:
        """Give a cluster another name; "" gives back its own."""
        from esmc_core.cluster.clustering import save_names

        renamed = self.open_clustering(store, key).renamed(cluster, name)
        save_names(self._clusterings(store) / key, renamed)
        return renamed

    def list_clusterings(self, store: LensStore) -> list[Clustering]:
        """The clusterings of a pass, last changed first; damaged ones are left out."""
        found = []
        for folder in self._clusterings(store).glob("*"):
            try:
                used = (folder / "clustering.json").stat().st_mtime
                found.append((used, self.open_clustering(store, folder.name)))
            except (StoreError, OSError):
                continue
        return [clustering for _, clustering in sorted(found, key=lambda pair: -pair[0])]

    def delete_clustering(self, store: LensStore, key: str) -> None:
        """Delete a clustering, also a damaged one; raise StoreError if it is missing."""
        _delete(_child(self._clusterings(store), key))

    def _clusterings(self, store: LensStore) -> Path:
        return store.folder / "clusterings"

    def layout_key(self, clustering: Clustering) -> str:
        """Of what decides the map: the cell and how its rows are compared, not K or the seed."""
        source, settings = clustering.source, clustering.settings
        return key_of(
            layer=source.layer,
            position=source.position,
            representation=settings.representation,
            geometry=settings.geometry,
            merge_spelling=settings.merge_spelling,
        )

    def find_layout(self, store: LensStore, clustering: Clustering) -> np.ndarray | None:
        """(n_images, 2) positions in the map, if it has been laid out before and can be read."""
        return _load_points(self._layout(store, clustering), store.spec.n_images)

    def _last_layout(self, store: LensStore) -> np.ndarray | None:
        paths = (store.folder / "layouts").glob("*.npy")
        newest = sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)
        found = (_load_points(path, store.spec.n_images) for path in newest)
        return next((points for points in found if points is not None), None)

    def rows(self, store: LensStore, clustering: Clustering) -> Any:
        """The rows that were clustered: (n_images, n_vocab) sparse or (n_images, d_model).

        Raises:
            StoreError: the hidden states that were clustered are gone.
        """
        import numpy as np

        from esmc_core.cluster.pipeline import vocabulary_rows

        source, settings = clustering.source, clustering.settings
        if settings.representation == "hidden":
            path = hidden_path(store, source.layer, source.position)
            return _load_array(path).astype(np.float32)
        cell = store.cell(source.layer, source.position)
        return vocabulary_rows(cell, store.token_texts, settings=settings)

    def lay_out(
        self, store: LensStore, clustering: Clustering, project: Callable[..., np.ndarray]
    ) -> np.ndarray:
        """Lay out the map of the rows that were clustered, and keep it.

        It starts from the map of the same pass that was laid out last, so that the pictures stay
        about where they were when another cell is chosen.

        Args:
            project: `esmc_core.projection.project`, or that of a ProjectionWorker; called with
                the rows and `init`.

        Returns:
            (n_images, 2) float32, UMAP.

        Raises:
            StoreError: as `rows`.
        """
        import numpy as np

        points = project(self.rows(store, clustering), init=self._last_layout(store))
        content = io.BytesIO()
        np.save(content, points)
        write_bytes(self._layout(store, clustering), content.getvalue())
        return points

    def _layout(self, store: LensStore, clustering: Clustering) -> Path:
        return store.folder / "layouts" / f"{self.layout_key(clustering)}.npy"

    def table(
        self,
        collection: Collection,
        store: LensStore,
        clustering: Clustering,
        *,
        images: Sequence[int] | np.ndarray | None = None,
    ) -> pd.DataFrame:
        """One row a readable file of the collection, duplicates included, sorted by file.

        Args:
            images: only the files of these; None for all.
        """
        from esmc_core.export import clustering_table

        number = {picture.file: i for i, picture in enumerate(collection.pictures)}
        files = [(picture.file, i, "") for i, picture in enumerate(collection.pictures)]
        files += [(copy.file, number[copy.of], copy.of) for copy in collection.duplicates]
        if images is not None:
            chosen = {int(image) for image in images}
            files = [one for one in files if one[1] in chosen]
        files.sort()
        source = clustering.source
        return clustering_table(
            [file for file, _, _ in files],
            [image for _, image, _ in files],
            clustering,
            top_tokens=self._top_tokens(store, source.layer, source.position),
            criterion=store.spec.criterion,
            model=store.spec.model,
            duplicate_of=[original for _, _, original in files],
        )

    def _top_tokens(self, store: LensStore, layer: int, position: int) -> list[str]:
        """(n_images,) each image's most probable tokens; of very many a chunk at a time."""
        from esmc_core.cluster.streams import CHUNK_ROWS
        from esmc_core.naming import top_token_texts

        if store.spec.n_images <= IN_MEMORY_IMAGES:
            return top_token_texts(store.cell(layer, position), store.token_texts)
        texts = [""] * store.spec.n_images
        for images, cell in store.cell_chunks(layer, position, n_rows=CHUNK_ROWS):
            for image, text in zip(images, top_token_texts(cell, store.token_texts), strict=True):
                texts[image] = text
        return texts

    def image_opener(self, collection: Collection) -> Callable[[int], Image.Image]:
        """A function from an image's number to its picture."""
        return lambda i: self.library.open(collection.pictures[i])


def _child(folder: Path, key: str) -> Path:
    """`folder` / `key`; keys come from addresses, so they may be anything."""
    if not key.isalnum():
        raise StoreError(f"“{key}” is no key.", "Choose from the library.")
    return folder / key


def _delete(folder: Path) -> None:
    if not folder.is_dir():
        raise StoreError(f"There is no {folder}.", "Choose one from the library.")
    shutil.rmtree(folder)


def _load_points(path: Path, n_images: int) -> np.ndarray | None:
    """(n_images, 2) a layout on disk; None where it is missing, damaged or of other images."""
    try:
        points = _load_array(path)
    except StoreError:
        return None
    return points if points.shape == (n_images, 2) else None


def _load_array(path: Path) -> np.ndarray:
    """Read a .npy file; raise StoreError if it is missing or damaged."""
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}).", "Cluster again.") from error
