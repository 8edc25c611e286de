"""Which pictures or texts are shown: all, a cluster's, or those drawn round in the map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from esmc_core.cluster.clustering import Clustering
from pages.ui.wording import counted

_KEY = "selection"


def current(found: Clustering) -> int | tuple[int, ...] | None:
    """A cluster, the numbers of some images, or None for all; of this clustering only."""
    key, chosen = st.session_state.get(_KEY, ("", None))
    return chosen if key == found.key else None


def cluster(found: Clustering) -> int | None:
    """The cluster that is selected as such."""
    chosen = current(found)
    return chosen if isinstance(chosen, int) else None


def toggle_cluster(found: Clustering, number: int) -> None:
    """Select a cluster, or all if it is selected already."""
    chosen = None if cluster(found) == number else number
    st.session_state[_KEY] = (found.key, chosen)


def select_images(found: Clustering, images: Sequence[int]) -> None:
    """Select images; a selection that is just one cluster counts as that cluster."""
    labels = np.unique(found.labels[list(images)]) if images else np.array([], int)
    if len(labels) == 1 and len(images) == found.sizes[labels[0]]:
        st.session_state[_KEY] = (found.key, int(labels[0]))
    else:
        st.session_state[_KEY] = (found.key, tuple(int(i) for i in images) or None)


def clear() -> None:
    """Show all."""
    st.session_state.pop(_KEY, None)


def images(found: Clustering) -> np.ndarray:
    """The selected images, cluster by cluster, most confident first."""
    chosen = current(found)
    if isinstance(chosen, int):
        return found.members(chosen)
    everything = np.concatenate([found.members(i) for i in range(found.n_clusters)])
    return everything if chosen is None else everything[np.isin(everything, chosen)]


def describe(found: Clustering, noun: str = "picture") -> str:
    """A heading for the pictures, or texts."""
    chosen = current(found)
    if chosen is None:
        return f"All {counted(found.n_images, noun)}"
    if isinstance(chosen, int):
        return f"{found.names[chosen]} · {counted(int(found.sizes[chosen]), noun)}"
    return f"{counted(len(chosen), noun)} selected in the map"


def stamp(found: Clustering) -> int:
    """Changes when the selection does, so that its pictures begin at the first page."""
    return hash(current(found))
