"""The clusters as files."""

from __future__ import annotations

import re

import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from pages.ui.resources import workspace


def downloads(collection: Collection, store: LensStore, found: Clustering) -> None:
    """Download buttons; the file is made when one is pressed."""
    stem = re.sub(r"\W+", "-", f"{collection.name} {store.spec.criterion}").strip("-").lower()

    def as_csv() -> bytes:
        from esmc_core.export import csv_bytes

        return csv_bytes(workspace().table(collection, store, found))

    def as_parquet() -> bytes:
        from esmc_core.export import parquet_bytes

        return parquet_bytes(workspace().table(collection, store, found))

    st.download_button(
        "Download CSV",
        as_csv,
        f"{stem}.csv",
        "text/csv",
        icon=":material/download:",
        help="One row a file: cluster, name, confidence, distance, top tokens, settings.",
    )
    st.download_button(
        "Parquet",
        as_parquet,
        f"{stem}.parquet",
        "application/vnd.apache.parquet",
        icon=":material/download:",
        help="The same table as Parquet.",
    )
