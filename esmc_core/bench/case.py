"""One criterion of one set, as the method sees it: pictures, words and K, but no labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from esmc_core.bench.runs import Run, load_array, make_run, run_seeds, save_array
from esmc_core.bench.variants import Variant
from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.cluster.estimator import Matrix
from esmc_core.cluster.pipeline import vocabulary_rows
from esmc_core.extract import run_hidden_pass, run_pass
from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from esmc_core.models.model import Lens, VisionLanguageModel
from esmc_core.records import key_of
from esmc_core.target import Heatmap, make_heatmap
from esmc_core.workspace import Workspace

Stage = Callable[..., AbstractContextManager[Callable[[int, int | None], None]]]
"""Opens a progress bar: called with a title and `unit`, gives a function of done and total."""


@dataclass(frozen=True)
class Tools:
    """What all cases share.

    Attributes:
        seeds: of K-means and head.
        stage: opens a progress bar.
    """

    workspace: Workspace
    model: VisionLanguageModel
    seeds: Sequence[int]
    stage: Stage

    def look(self, collection: Collection, prompt: str, lens: Lens = "norm") -> LensStore:
        """The complete pass over a collection; only what is missing is computed."""
        store = self.workspace.create_pass(collection, self.model, prompt, lens=lens)
        if not store.is_complete:
            with self.stage(f"{collection.name}, {prompt}") as progress:
                opener = self.workspace.image_opener(collection)
                run_pass(self.model, store, opener, progress=progress)
        return store


@dataclass(frozen=True)
class Case:
    """A question about a collection, and K.

    Attributes:
        prompt: what the model is asked.
        n_clusters: K, as many as there are true classes; the papers give it to the method too.
    """

    tools: Tools
    collection: Collection
    prompt: str
    n_clusters: int

    @property
    def settings(self) -> ClusterSettings:
        """The app's defaults."""
        return ClusterSettings(self.n_clusters)

    def store(self, lens: Lens = "norm") -> LensStore:
        """The complete pass."""
        return self.tools.look(self.collection, self.prompt, lens)

    def heatmap(self, lens: Lens = "norm") -> Heatmap:
        """The information of every cell, and the cell that the app suggests."""
        return _heatmap(self.store(lens).folder)

    def cell(self, variant: Variant) -> tuple[int, int]:
        """The variant's (layer, position)."""
        if variant.cell == "suggested":
            return self.heatmap(variant.lens).suggested
        spec = self.store(variant.lens).spec
        return spec.n_layers, spec.n_positions - 1

    def runs(
        self, variant: Variant, *, cell: tuple[int, int] | None = None, watch: bool = False
    ) -> list[Run]:
        """One run a seed.

        Args:
            cell: another (layer, position) than the variant's.
            watch: keep the head's epochs.
        """
        store = self.store(variant.lens)
        layer, position = cell or self.cell(variant)
        settings = replace(self.settings, **variant.changes)
        seeds = self.tools.seeds
        with self._clustering(f"{variant.key} {cell}" if cell else variant.key) as progress:
            return run_seeds(
                bench_folder(store.folder),
                lambda: self._rows(store, settings, layer, position),
                settings,
                seeds,
                watch=watch,
                on_run=_counter(progress, len(seeds)),
                layer=layer,
                position=position,
            )

    def labels_by_cell(self) -> np.ndarray:
        """(n_layers + 1, n_positions, n_images) int, K-means at every cell by the first seed."""
        store = self.store()
        spec = store.spec
        settings = replace(self.settings, use_head=False, seed=self.tools.seeds[0])
        path = bench_folder(store.folder) / f"cells_{key_of(settings=settings)}.npy"
        shape = (spec.n_layers + 1, spec.n_positions, spec.n_images)
        kept = load_array(path)
        if kept is not None and kept.shape == shape:
            return kept
        labels = np.zeros(shape, np.uint16)
        with self._clustering("every cell") as progress:
            done = _counter(progress, shape[0] * shape[1])
            for layer, position in np.ndindex(shape[:2]):
                rows = self._rows(store, settings, layer, position)
                labels[layer, position] = make_run(rows, settings).labels
                done()
        save_array(path, labels)
        return labels

    def cell_rows(self, layer: int, position: int) -> Matrix:
        """(n_images, n_vocab) ⁴√p at a cell, as the default settings cluster them."""
        return self._rows(self.store(), self.settings, layer, position)

    def _rows(
        self, store: LensStore, settings: ClusterSettings, layer: int, position: int
    ) -> Matrix:
        if settings.representation == "hidden":
            opener = self.tools.workspace.image_opener(self.collection)
            model = self.tools.model
            return run_hidden_pass(model, store, opener, layer=layer, position=position)
        found = store.cell(layer, position)
        return vocabulary_rows(found, store.token_texts, settings=settings)

    def _clustering(self, what: str) -> AbstractContextManager[Any]:
        title = f"{self.collection.name}, {self.prompt}: {what}"
        return self.tools.stage(title, unit=" runs")


def bench_folder(folder: Path) -> Path:
    """Where the benchmark keeps what it computed of a pass or a collection."""
    return folder / "bench"


@cache
def _heatmap(folder: Path) -> Heatmap:
    """Of a complete pass, so it never changes."""
    return make_heatmap(LensStore.open(folder))


def _counter(progress: Callable[[int, int | None], None], total: int) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    return step
