"""Work that is done ahead of the user, once a process, after the first page is on the screen."""

from __future__ import annotations

import gc
from functools import cache

import numpy as np
import scipy.sparse

from esmc_core.jobs import Job
from esmc_core.models.catalogue import BUNDLED
from pages.ui import preferences
from pages.ui.resources import jobs, models, projection


@cache
def start() -> None:
    """Load the bundled model and what clusters, and compile the map's code in its own process."""
    jobs().submit("warm-up", _load_model, title="Loading the model")
    jobs().submit("warm-up-clustering", _cluster, title="Loading", lane="warm-up")
    projection().warm_up()


def _cluster(_job: Job) -> None:
    """Some rows: torch loads what a head and K-means need when they first run."""
    from esmc_core.cluster.estimator import ESMCClustering

    rows = np.random.default_rng(0).random((32, 8), dtype=np.float32)
    ESMCClustering(2, epochs=1, n_init=1).fit(scipy.sparse.csr_matrix(rows))
    _keep_for_good()


def _load_model(_job: Job) -> None:
    if preferences.model_name() == BUNDLED:  # a large model is not loaded before it is asked for
        models().get(BUNDLED)
    _keep_for_good()


def _keep_for_good() -> None:
    """Let the garbage collector pass over what has been loaded.

    Streamlit collects garbage after every run of a page, before its last elements reach the
    browser: with all of torch's modules that takes 0.3 s, in which no other thread gets on.
    """
    gc.collect()
    gc.freeze()
