"""Step 3 for texts: how many clusters, their names and their texts."""

import streamlit as st

from pages.ui.guard import escape
from pages.ui.navigation import nothing_here
from pages.ui.progress import show_job
from pages.ui.texts import clustering
from pages.ui.texts.granularity_panel import granularity_panel
from pages.ui.texts.opened import open_study, open_texts
from pages.ui.texts.text_results import results


def main() -> None:
    collection = open_texts()
    if collection is None:
        nothing_here("Clusters need texts.", go_to="texts", label="Add texts")
        return
    study = open_study()
    if study is None:
        nothing_here(
            f"Say first what the texts of “{escape(collection.name)}” should be sorted by.",
            go_to="questions",
            label="Write a perspective",
        )
        return
    st.title(f"Clusters by “{escape(study.perspective)}”")
    found = clustering.shown(study)
    choice, pressed = clustering.choose(study, found)
    if pressed or (found is None and not clustering.is_asked(study, choice)):
        clustering.start(study, choice)
    granularity_panel(study)
    job = clustering.asked()
    if job is not None:
        show_job(job.key)
        if job.state == "done":  # faster than this page: nothing would tell of its end
            st.rerun()
    if found is not None:
        results(study, found)
    elif job is not None and job.is_active:
        st.skeleton(height=520)


main()
