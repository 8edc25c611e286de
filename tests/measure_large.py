"""What each step after the pass costs: `python -m tests.measure_large HOME [STEP …]`.

HOME is one made by `tests.large_home`. The CPU seconds, children's included, can be compared
between machines that are busy with other work; the seconds on the clock cannot.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from functools import cached_property
from inspect import isfunction
from pathlib import Path
from typing import Any

import psutil
from streamlit.testing.v1 import AppTest

from esmc_core import export, metrics, naming, projection, target
from esmc_core.cluster.clustering import Clustering, ClusterSettings
from esmc_core.cluster.rows import rows_of
from esmc_core.config import Config
from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from esmc_core.workspace import Workspace

SETTINGS = ClusterSettings(n_clusters=10)
CELL, OTHER_CELL = (5, 7), (4, 3)


class Steps:
    """The steps by name; each may be run alone."""

    def __init__(self, home: Path) -> None:
        self.workspace = Workspace(Config(home))
        (summary,) = self.workspace.library.list()
        self.collection_key = summary.key

    @cached_property
    def collection(self) -> Collection:
        return self.workspace.library.load(self.collection_key)

    @property
    def store(self) -> LensStore:
        (made,) = self.workspace.list_passes(self.collection_key)
        return self.workspace.open_pass(self.collection_key, made.key)

    @property
    def found(self) -> Clustering:
        return self._cluster(CELL)

    def _cluster(self, cell: tuple[int, int]) -> Clustering:
        return self.workspace.cluster(self.store, SETTINGS, layer=cell[0], position=cell[1])

    def library(self) -> None:
        self.workspace.library.list()
        for made in self.workspace.list_passes(self.collection_key):
            store = self.workspace.open_pass(self.collection_key, made.key)
            self.workspace.list_clusterings(store)

    def collection_record(self) -> None:
        self.workspace.library.load(self.collection_key)

    def heatmap_from_disk(self) -> None:
        for path in self.store.folder.glob("*.[if]*"):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        target.make_heatmap(self.store)

    def heatmap(self) -> None:
        target.make_heatmap(self.store)

    def clustering(self) -> None:
        self._cluster(CELL)

    def another_cell(self) -> None:
        self._cluster(OTHER_CELL)

    def names(self) -> None:
        store, found = self.store, self.found
        naming.dominant_tokens(store.cell(*CELL), found.labels, store.token_texts)

    def rename(self) -> None:
        self.workspace.rename_cluster(self.store, self.found.key, 0, "mine")

    def silhouette(self) -> None:
        found = self.found
        metrics.silhouette(self.workspace.rows(self.store, found), found.labels)

    def stability(self) -> None:
        rows = rows_of(self.workspace.rows(self.store, self.found))
        metrics.stability(rows, SETTINGS.n_clusters)

    def csv(self) -> None:
        export.csv_bytes(self.workspace.table(self.collection, self.store, self.found))

    def parquet(self) -> None:
        export.parquet_bytes(self.workspace.table(self.collection, self.store, self.found))

    def map(self) -> None:
        self.workspace.lay_out(self.store, self.found, projection.project)

    def page_images(self) -> Callable[[], Any]:
        return self._page("images")

    def page_criterion(self) -> Callable[[], Any]:
        return self._page("criterion")

    def page_clusters(self) -> Callable[[], Any]:
        return self._page("clusters")

    def page_library(self) -> Callable[[], Any]:
        return self._page("library")

    def _page(self, name: str) -> Callable[[], Any]:
        """A rerun of a page that has been open for a while."""
        from pages.ui import shell

        app = AppTest.from_file(shell.__file__, default_timeout=3600)
        app.query_params["collection"] = self.collection_key
        app.query_params["lens"] = self.store.key
        if (self.store.folder / "clusterings").exists():
            app.query_params["cell"] = ".".join(map(str, CELL))
            app.query_params["clusters"] = self.found.key
        return app.switch_page(f"../{name}.py").run().run


def main(home: Path, names: list[str]) -> None:
    """Run the steps and print what they cost."""
    os.environ["ESMC_HOME"] = str(home)
    steps = Steps(home)
    all_names = [name for name, value in vars(Steps).items() if isfunction(value)]
    for name in names or [name for name in all_names if not name.startswith("_")]:
        step = getattr(steps, name)
        if name.startswith("page_"):
            step = step()
        clock_s, cpu_s = time.perf_counter(), _cpu_s()
        step()
        clock_s, cpu_s = time.perf_counter() - clock_s, _cpu_s() - cpu_s
        memory_mb = psutil.Process().memory_info().rss / 1e6
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(
            f"{name:20} {cpu_s:8.2f} s CPU {clock_s:8.2f} s {memory_mb:7.0f} MB"
            f" (peak {peak_mb:.0f})",
            flush=True,
        )


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
