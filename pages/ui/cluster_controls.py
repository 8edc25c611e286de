"""The settings of a clustering, with defaults that need no thought."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from esmc_core.cluster.clustering import Clustering, ClusterSettings
from esmc_core.lens_store import LensStore
from pages.ui import preferences
from pages.ui.lens_views import Cell, n_answers

_CHOICES = {
    "representation": {"vocabulary": "words of the lens", "hidden": "hidden state"},
    "geometry": {
        "fourth_root": "⁴√p (fourth root)",
        "hellinger": "√p (Hellinger)",
        "euclidean": "p (Euclidean)",
    },
}
_REMEMBERED = ("alpha", "representation", "geometry", "merge_spelling", "use_head", "seed")


def choose_settings(
    store: LensStore, cell: Cell, shown: Clustering | None
) -> tuple[ClusterSettings, bool]:
    """Draw the row of controls.

    Args:
        shown: the clustering on the page, whose settings the controls begin with.

    Returns:
        The settings, and whether "Cluster" was pressed.
    """
    suggested = n_answers(store, cell)
    defaults = shown.settings if shown else first_settings(store, cell)
    which = shown.key if shown else f"{store.key}-{cell}"
    st.session_state[f"settings-{store.key}"] = defaults  # another cell begins with the same
    with st.container(horizontal=True, vertical_alignment="bottom"):
        n_clusters = st.number_input(
            "Clusters",
            min_value=1,
            max_value=store.spec.n_images,
            value=min(defaults.n_clusters, store.spec.n_images),
            key=f"n-clusters-{which}",
            width=150,
            persist_state="session",
            help=f"K. {suggested} different words are the first answer of a fair share of the "
            "pictures.",
        )
        with st.popover("More settings", icon=":material/tune:"):
            chosen = _more(defaults, which)
        pressed = st.button("Cluster", type="primary", icon=":material/bubble_chart:")
    if pressed:
        preferences.put(clustering=chosen)
    return replace(defaults, n_clusters=int(n_clusters or suggested), **chosen), pressed


def first_settings(store: LensStore, cell: Cell) -> ClusterSettings:
    """What the controls begin with: this session's last for the pass, else the user's usual."""
    last: ClusterSettings | None = st.session_state.get(f"settings-{store.key}")
    return last or replace(_remembered(), n_clusters=n_answers(store, cell))


def _remembered() -> ClusterSettings:
    remembered = preferences.get("clustering", {})
    usual = ClusterSettings()
    known = {name: remembered[name] for name in _REMEMBERED if name in remembered}
    for name, value in known.items():  # what another version left may be of another kind
        choices = _CHOICES.get(name, (value,))
        if type(value) is not type(getattr(usual, name)) or value not in choices:
            return usual
    return replace(usual, **known)


def _more(defaults: ClusterSettings, which: str) -> dict:
    chosen: dict = {}
    chosen["use_head"] = st.toggle(
        "Train the head (MLP)",
        defaults.use_head,
        key=f"head-{which}",
        help="The paper's last step: a small network learns the surest pictures of each cluster, "
        "and sorts all. Off: K-means alone.",
    )
    chosen["alpha"] = st.slider(
        "α, share of a cluster that teaches it",
        0.05,
        1.0,
        defaults.alpha,
        0.05,
        key=f"alpha-{which}",
        help="The pictures nearest to their cluster's centre are its examples; the paper takes "
        "0.1 to 0.4 of them.",
        disabled=not chosen["use_head"],
    )
    names, shapes = _CHOICES["representation"], _CHOICES["geometry"]
    chosen["representation"] = st.selectbox(
        "Cluster by",
        list(names),
        key=f"representation-{which}",
        index=list(names).index(defaults.representation),
        format_func=names.__getitem__,
        help="The hidden state needs the model once more.",
    )
    chosen["geometry"] = st.selectbox(
        "Distance between words",
        list(shapes),
        key=f"geometry-{which}",
        index=list(shapes).index(defaults.geometry),
        format_func=shapes.__getitem__,
        help="The root makes rare answers count: an orange car is nearer to the red ones than to "
        "the black ones if the model thought of red, too.",
        disabled=chosen["representation"] == "hidden",
    )
    chosen["merge_spelling"] = st.toggle(
        "Add up spellings of a word",
        defaults.merge_spelling,
        key=f"spelling-{which}",
        help="“Red”, “red” and “ red” count as one word; so do “gray” and “grey”.",
    )
    chosen["seed"] = int(
        st.number_input(
            "Seed",
            0,
            2**31 - 1,
            defaults.seed,
            key=f"seed-{which}",
            help="The same seed gives the same clusters.",
        )
    )
    return chosen
