"""The clusters as files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from pages.ui.resources import workspace

if TYPE_CHECKING:
    import pandas as pd


def downloads(collection: Collection, store: LensStore, found: Clustering) -> None:
    """Download buttons for clusters of pictures."""
    table_buttons(
        f"{collection.name} {store.spec.criterion}",
        lambda: workspace().table(collection, store, found),
        help="One row a file: cluster, name, confidence, distance, top tokens, settings.",
    )


def table_buttons(name: str, table: Callable[[], pd.DataFrame], *, help: str) -> None:
    """Download buttons for a table; it is made when one is pressed."""
    csv_button("Download CSV", name, table, help=help)

    def as_parquet() -> bytes:
        from esmc_core.export import parquet_bytes

        return parquet_bytes(table())

    st.download_button(
        "Parquet",
        as_parquet,
        f"{_stem(name)}.parquet",
        "application/vnd.apache.parquet",
        icon=":material/download:",
        on_click="ignore",  # a run of the page would take away what the click asks for
        help="The same table as Parquet.",
    )


def csv_button(label: str, name: str, table: Callable[[], pd.DataFrame], *, help: str) -> None:
    """The download button for a table as CSV."""

    def as_csv() -> bytes:
        from esmc_core.export import csv_bytes

        return csv_bytes(table())

    st.download_button(
        label,
        as_csv,
        f"{_stem(name)}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",  # a run of the page would take away what the click asks for
        help=help,
    )


def _stem(name: str) -> str:
    return re.sub(r"\W+", "-", name).strip("-").lower()
