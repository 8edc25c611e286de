"""Step 2 for texts: the perspective, questions about it, and tuning by the answers."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.navigation import nothing_here, switch
from pages.ui.texts import llm_panel
from pages.ui.texts.opened import open_study, open_texts
from pages.ui.texts.perspective import perspective_form
from pages.ui.texts.round_panel import rounds_panel
from pages.ui.texts.triplet_panel import STEP, heading, is_ready, is_wanted, triplet_panel
from pages.ui.texts.tuning_panel import just_tuned, tuning_panel

if TYPE_CHECKING:
    from esmc_core.texts.study import Study

FEWEST_TEXTS = 4


def main() -> None:
    collection = open_texts()
    if collection is None:
        nothing_here("Questions need texts.", go_to="texts", label="Add texts")
        return
    st.title("What makes two texts belong together?")
    perspective_form(collection)
    study = open_study()
    if study is None:
        st.caption(
            "Write the perspective, or choose one. You, or an LLM, then compare some of the texts "
            "from it, and the embedder learns from the answers."
        )
        return
    if collection.n_texts < FEWEST_TEXTS:
        nothing_here(
            f"{collection.n_texts} different texts are too few to ask about; they can be clustered "
            "as they are.",
            go_to="text_clusters",
            label="Go on to the clusters",
        )
        return
    if choose_view(study) == "rounds":
        rounds_panel(study)
    else:
        questions(study)


def choose_view(study: "Study") -> str:
    """The questions, or what came of tuning; the latter once it has just been done."""
    n_rounds = len(study.rounds.list())
    if not n_rounds:
        return "questions"
    key = f"view-{study.key}"
    if just_tuned() or key not in st.session_state:
        st.session_state[key] = "questions" if llm_panel.running(study, STEP) else "rounds"
    titles = {"questions": "Questions", "rounds": f"Results of tuning ({n_rounds})"}
    chosen = st.segmented_control(
        "Show",
        list(titles),
        required=True,
        format_func=titles.__getitem__,
        key=key,
        label_visibility="collapsed",
        persist_state="session",
    )
    return str(chosen or "questions")


def questions(study: "Study") -> None:
    """The questions about the embedding in use, and tuning by them."""
    round = study.round_in_use
    if not is_wanted(study, round):
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.subheader(heading(study, round))
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        if not study.rounds.list() and st.button("Skip the questions"):
            switch("text_clusters")
    if not is_ready(study, round):
        st.skeleton(height=320)
        return
    judge = triplet_panel(study, round)
    if judge is not None:
        tuning_panel(study, judge, round)


main()
