"""Clustering texts: the controls, and the work in the background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from esmc_core.cluster.clustering import Clustering
from esmc_core.errors import EsmcError
from esmc_core.jobs import Job
from pages.ui import place
from pages.ui.resources import jobs
from pages.ui.texts import steps

if TYPE_CHECKING:
    from esmc_core.texts.study import Study

_ASKED, _WANTED = "texts_clustering_asked", "texts_clusters_wanted"
MOST = 1000


@dataclass(frozen=True)
class Choice:
    """What to cluster; `round` names the embedding."""

    n_clusters: int
    seed: int
    round: str


def choose(study: Study, found: Clustering | None) -> tuple[Choice, bool]:
    """Draw the row of controls; the choice, and whether "Cluster" was pressed."""
    from esmc_core.texts.granularity import usual_count

    key = f"n-text-clusters-{study.collection.key}-{study.key}"
    if _WANTED in st.session_state:
        st.session_state[key] = st.session_state.pop(_WANTED)
    most = min(study.collection.n_texts, MOST)
    if key not in st.session_state:
        known = found.settings.n_clusters if found else usual_count(study.collection.n_texts)
        st.session_state[key] = min(known, most)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        n_clusters = st.number_input(
            "Clusters",
            min_value=1,
            max_value=most,
            key=key,
            width=150,
            persist_state="session",
            help="K. Set it by hand, or let questions about pairs find it.",
        )
        with st.popover("More settings", icon=":material/tune:"):
            seed = st.number_input(
                "Seed",
                0,
                2**31 - 1,
                found.settings.seed if found else 0,
                key=f"text-seed-{study.key}-{found.key if found else ''}",
                help="The same seed gives the same clusters.",
            )
        pressed = st.button("Cluster", type="primary", icon=":material/bubble_chart:")
        if found is not None and n_clusters != found.n_clusters and not pressed:
            st.markdown(f":gray[Press it to form {n_clusters:,} instead of {found.n_clusters:,}.]")
    round = study.round_in_use
    if found is not None and study.round_of(found) != round:
        st.info("Another embedding is in use since these were made: cluster again to see it.")
    return Choice(int(n_clusters), int(seed), round), pressed


def want_count(n_clusters: int) -> None:
    """Put a number into the box; the page has to run again."""
    st.session_state[_WANTED] = min(n_clusters, MOST)


def start(study: Study, choice: Choice) -> Job:
    """Cluster; one that was made before is reopened."""
    st.session_state[_ASKED] = _key(study, choice)
    return steps.cluster(study, choice.n_clusters, seed=choice.seed, round=choice.round)


def asked() -> Job | None:
    """The clustering that this session asked for last and has not shown yet."""
    return jobs().get(st.session_state.get(_ASKED, ""))


def is_asked(study: Study, choice: Choice) -> bool:
    """Whether just this was asked for last, be it under way, stopped or failed."""
    return st.session_state.get(_ASKED) == _key(study, choice)


def shown(study: Study) -> Clustering | None:
    """The clustering to show: the one that has just been made, else that of the place."""
    job = asked()
    if job is not None and job.state == "done":
        place.go(groups=job.result.key)
        del st.session_state[_ASKED]
    try:
        if place.here().groups:
            return study.open_clustering(place.here().groups)
    except EsmcError:
        place.go(groups="")
    if job is None:  # nothing is asked for: the last one by the embedding in use
        made = study.list_clusterings()
        last = next((one for one in made if study.round_of(one) == study.round_in_use), None)
        place.go(groups=last.key if last else "")
        return last
    return None


def _key(study: Study, choice: Choice) -> str:
    return steps.key_of_step(study, "cluster", choice.round, choice.n_clusters, choice.seed)
