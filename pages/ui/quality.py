"""How good a clustering is: by itself, and against labels that the user has."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.errors import InputError
from esmc_core.images import Collection
from esmc_core.jobs import Job
from esmc_core.lens_store import LensStore
from pages.ui import guard
from pages.ui.progress import show_job
from pages.ui.resources import jobs, workspace

if TYPE_CHECKING:
    from esmc_core.metrics import ClusterCount

COUNTS = range(2, 13)


def quality(collection: Collection, store: LensStore, found: Clustering) -> None:
    """A popover with the label-free figures, and those against a table of true labels."""
    box = st.popover("Quality", icon=":material/query_stats:", on_change="rerun", key="quality")
    if not box.open:
        return
    with box, guard.errors_shown():
        shape, repeat = _label_free(store.key, found.key, store, found)
        left, right = st.columns(2)
        left.metric(
            "Silhouette",
            "–" if shape is None else f"{shape:.2f}",
            help="-1 to 1: how much nearer pictures are to their own cluster than to the next.",
        )
        right.metric(
            "Stability",
            f"{repeat:.2f}",
            help="Up to 1: how far K-means from other starts finds the same clusters (ARI).",
        )
        _counts(store, found)
        st.markdown("**Compare with labels that you have**")
        file = st.file_uploader(
            "A CSV with a column “file” and one column a criterion",
            type="csv",
            help="Only for these figures: the labels never reach the clustering.",
        )
        if file is not None:
            st.dataframe(_compare(collection, found, _read_labels(file)))


@st.cache_data(max_entries=32, show_spinner="Measuring …")
def _label_free(
    pass_key: str, key: str, _store: LensStore, _found: Clustering
) -> tuple[float | None, float]:
    from esmc_core.cluster.rows import rows_of
    from esmc_core.metrics import silhouette, stability

    rows = workspace().rows(_store, _found)
    return (
        silhouette(rows, _found.labels),
        stability(rows_of(rows, device="cpu"), _found.n_clusters),
    )


def _counts(store: LensStore, found: Clustering) -> None:
    """Stability and silhouette over the numbers of clusters that make sense."""
    key = f"counts/{store.key}/{workspace().layout_key(found)}"

    def work(job: Job) -> list[ClusterCount]:
        from esmc_core.metrics import score_cluster_counts

        rows, stop = workspace().rows(store, found), job.should_stop
        return score_cluster_counts(rows, COUNTS, progress=job.progress, should_stop=stop)

    if st.button("How many clusters?", help="Stability and silhouette of 2 to 12 clusters."):
        jobs().submit(key, work, title="Trying numbers of clusters", lane="clustering")
    job = show_job(key)
    if job is None or not job.result:
        return
    from esmc_core.metrics import suggest_cluster_count

    table = pd.DataFrame(
        {
            "Clusters": [score.n_clusters for score in job.result],
            "Stability": [score.stability for score in job.result],
            "Silhouette": [score.silhouette for score in job.result],
        }
    )
    st.line_chart(table.set_index("Clusters"), height=180)
    st.caption(f"{suggest_cluster_count(job.result)} clusters fit best by the mean of the two.")


def _read_labels(file: Any) -> pd.DataFrame:
    try:
        return pd.read_csv(file, dtype=str)
    except ValueError as error:  # pandas' own errors and those of decoding are among them
        raise InputError(
            f"The labels cannot be read: {error}.", "Give a table in CSV, written in UTF-8."
        ) from error


def _compare(collection: Collection, found: Clustering, table: pd.DataFrame) -> pd.DataFrame:
    from esmc_core.metrics import compare_with_truth

    if "file" not in table.columns or len(table.columns) < 2:
        raise InputError(
            f"The labels have the columns {', '.join(table.columns)}.",
            "One has to be “file”, the others hold the labels.",
        )
    by_file = table.drop_duplicates("file").set_index("file")
    paths = [picture.file for picture in collection.pictures]
    names = [PurePosixPath(path).name for path in paths]
    known = [set(files) & set(by_file.index) for files in (paths, names)]
    aligned = by_file.reindex(names if len(known[1]) > len(known[0]) else paths)
    rows = {}
    for column in aligned.columns:
        truth = [None if pd.isna(value) else value for value in aligned[column]]
        if any(truth):
            agreement = compare_with_truth(found.labels, truth)
            rows[column] = {
                "NMI": agreement.nmi,
                "Rand index": agreement.rand_index,
                "ARI": agreement.ari,
                "Accuracy": agreement.accuracy,
                "Pictures": agreement.n_images,
            }
    if not rows:
        raise InputError(
            "None of the labels belongs to a picture of this collection.",
            "The column “file” has to hold the pictures' names.",
        )
    return pd.DataFrame(rows).T.round(3)
