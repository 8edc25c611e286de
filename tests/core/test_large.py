"""Clustering in chunks: as good as in memory, in memory that does not grow with the rows."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score as nmi

from esmc_core import workspace as workspace_module
from esmc_core.cluster import streams
from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.cluster.estimator import ESMCClustering
from esmc_core.cluster.large import LargeClustering
from esmc_core.cluster.streams import MatrixStream
from esmc_core.config import Config
from esmc_core.errors import Cancelled, InputError
from esmc_core.workspace import Workspace
from tests.large_home import CONCEPTS, make_large_home
from tests.tiny_lens import clouds

ROOT = Path(__file__).resolve().parents[2]
MEASURE = """
import sys
import numpy as np, psutil, scipy.sparse
from tests.large_home import CONCEPTS, N_VOCAB, draw_answers
from esmc_core.cluster.clustering import ClusterSettings, Source
from esmc_core.cluster.large_pipeline import cluster_chunks
from esmc_core.cluster.streams import CHUNK_ROWS
from esmc_core.distributions import Distributions
from tests.large_home import vocabulary

n_chunks, peak, texts = int(sys.argv[1]), 0, vocabulary()
rng = np.random.default_rng(0)
drawn = [draw_answers(rng.integers(len(CONCEPTS), size=CHUNK_ROWS), 0.7, rng) for _ in range(2)]

def read():
    global peak
    for i in range(n_chunks):
        tokens, probabilities = drawn[i % 2]
        images = np.arange(i * CHUNK_ROWS, (i + 1) * CHUNK_ROWS)
        peak = max(peak, psutil.Process().memory_info().rss)
        yield images, Distributions(tokens, probabilities.astype(np.float32), N_VOCAB)

settings = ClusterSettings(len(CONCEPTS), epochs=20, n_init=1)
texts_of = lambda tokens: [texts[token] for token in tokens]
found = cluster_chunks(read, n_chunks * CHUNK_ROWS, N_VOCAB, texts_of, settings=settings,
                       source=Source())
assert found.n_images == n_chunks * CHUNK_ROWS
print(peak)
"""


@pytest.mark.parametrize("options", [{}, {"use_head": False}, {"labels_from": "argmax"}])
def test_chunks_give_the_clusters_that_the_whole_gives(options, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_ROWS", 128)
    rows, truth = clouds(1_500, 5, spread=0.3)
    whole = ESMCClustering(5, epochs=60, **options).fit(rows)
    found = LargeClustering(5, epochs=60, **options).fit(rows)
    assert nmi(truth, found.labels_) >= nmi(truth, whole.labels_) - 0.01
    assert nmi(whole.labels_, found.labels_) > 0.97
    assert found.inertia_ < 1.02 * whole.inertia_
    assert (np.diff(np.bincount(found.labels_)) <= 0).all()
    assert np.corrcoef(found.distances_, whole.distances_)[0, 1] > 0.95
    assert ((found.confidence_ >= 0) & (found.confidence_ <= 1)).all()
    assert set(vars(whole)) <= set(vars(found))
    for name in ("labels_", "kmeans_labels_", "pseudo_labels_", "cluster_centers_", "distances_"):
        mine, theirs = getattr(found, name), getattr(whole, name)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)


def test_the_same_seed_gives_the_same_labels():
    rows, _ = clouds(400, 3)
    first, second = (LargeClustering(3, epochs=10).fit(rows) for _ in range(2))
    np.testing.assert_array_equal(first.labels_, second.labels_)
    np.testing.assert_array_equal(first.confidence_, second.confidence_)


def test_what_cannot_be_clustered_is_said():
    rows, _ = clouds(40, 2)
    with pytest.raises(InputError, match="40 images cannot form 41 clusters"):
        LargeClustering(41).fit(rows)
    with pytest.raises(Cancelled):
        LargeClustering(2).fit(MatrixStream(rows), should_stop=lambda: True)


def test_a_large_pass_is_clustered_in_chunks(tmp_path, monkeypatch):
    """The workspace does it by itself, and the clusters and names are those of a smaller one."""
    collection, store = make_large_home(tmp_path, 1_200)
    settings = ClusterSettings(len(CONCEPTS), epochs=60)
    monkeypatch.setattr(streams, "CHUNK_ROWS", 256)
    home = Workspace(Config(tmp_path))
    whole = home.cluster(store, settings, layer=5, position=7)
    top = home.table(collection, store, whole)["top_tokens"].str.lower()
    home.delete_clustering(store, whole.key)
    monkeypatch.setattr(workspace_module, "IN_MEMORY_IMAGES", 1_000)
    monkeypatch.setattr(store, "cell", None)
    found = home.cluster(store, settings, layer=5, position=7)
    assert nmi(whole.labels, found.labels) > 0.95
    assert set(found.names) == set(whole.names)
    assert home.open_clustering(store, found.key).n_images == 1_200
    told = home.table(collection, store, found)["top_tokens"].str.lower()  # chunks differ in case
    assert (told.str.split().str[0] == top.str.split().str[0]).mean() > 0.99


def test_a_cell_comes_in_chunks_as_it_comes_whole(tmp_path):
    _, store = make_large_home(tmp_path, 50)
    whole = store.cell(3, 2)
    seen = []
    for images, cell in store.cell_chunks(3, 2, n_rows=16):
        np.testing.assert_array_equal(cell.tokens, whole.tokens[images])
        np.testing.assert_array_equal(cell.probabilities, whole.probabilities[images])
        seen.extend(images)
    assert seen == list(store.order)


def test_memory_does_not_grow_with_the_rows():
    # Else the allocator keeps freed memory, more or less of it from run to run.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    few, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", MEASURE, str(n_chunks)],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for n_chunks in (4, 16)
    )
    per_row = (many - few) / (12 * streams.CHUNK_ROWS)
    assert per_row < 100  # bytes; the rows themselves take 400 and more
