"""How well clusters of texts agree with the labels that came with the file."""

from __future__ import annotations

import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.texts.collection import TextCollection
from pages.ui import guard
from pages.ui.texts.opened import labels_of


def text_quality(collection: TextCollection, found: Clustering) -> None:
    """A popover with the figures; only where there are labels."""
    labels = labels_of(collection)
    if labels is None:
        return
    with (
        st.popover("Quality", icon=":material/query_stats:", key="text-quality"),
        guard.errors_shown(),
    ):
        from esmc_core.metrics import compare_with_truth

        measured = compare_with_truth(found.labels, labels)
        st.caption("Against your labels, which nothing else has seen.")
        cells = {
            "Accuracy": measured.accuracy,
            "NMI": measured.nmi,
            "ARI": measured.ari,
            "Rand index": measured.rand_index,
        }
        for column, (name, value) in zip(st.columns(4), cells.items(), strict=True):
            column.metric(name, f"{value:.3f}")
