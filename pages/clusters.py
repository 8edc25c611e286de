"""Step 3: the clusters, their names and their pictures."""

import streamlit as st

from esmc_core.lens_store import LensStore
from pages.ui import clustering_jobs, passes, place
from pages.ui.cluster_controls import choose_settings
from pages.ui.cluster_results import results
from pages.ui.explorer import draw, selected_cell, warn_cell, warn_flat
from pages.ui.guard import escape
from pages.ui.lens_views import cell_name, scored
from pages.ui.navigation import nothing_here
from pages.ui.progress import show_job


def main() -> None:
    collection = place.open_collection()
    if collection is None:
        nothing_here("Clusters need pictures.", go_to="images", label="Choose pictures")
        return
    store = place.open_store()
    if store is None or store.n_done == 0:
        nothing_here(
            f"Say first what the pictures of “{escape(collection.name)}” should be sorted by.",
            go_to="criterion",
            label="Type a criterion",
        )
        return
    scores = scored(store, "information")
    cell = selected_cell(scores, store)
    st.title(f"Clusters by “{escape(store.spec.criterion)}”")
    where = escape(cell_name(store, cell))
    with st.expander(f"Target cell: {where}", icon=":material/grid_on:"):
        st.caption("Click another cell and the pictures are clustered by it.")
        draw(store, scores, cell)
    if not store.is_complete:
        wait_for_pass(store)
        return
    found = clustering_jobs.shown(store)
    settings, pressed = choose_settings(store, cell, found)
    if pressed or (found is None and not clustering_jobs.is_asked(store, cell, settings)):
        clustering_jobs.start(collection, store, cell, settings)
    job = clustering_jobs.asked()
    if job is not None:
        show_job(job.key)
        if job.state == "done":  # faster than this page: nothing would tell of its end
            st.rerun()
    if found is not None:
        if found.settings.representation == "vocabulary":  # the score is that of the words
            warn_flat(store, scores)
            warn_cell(store, scores, cell)
        results(collection, store, found)


def wait_for_pass(store: LensStore) -> None:
    """The clusters need every picture; the page goes on by itself when the pass ends."""
    job = show_job(passes.job_key(store))
    if job is None or not job.is_active:
        nothing_here(
            f"{store.n_done:,} of {store.spec.n_images:,} pictures have been looked at.",
            go_to="criterion",
            label="Finish the pass",
        )
    st.skeleton(height=520)


main()
