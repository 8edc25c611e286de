"""How many clusters: questions about pairs, and the curve of what the answers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import guard, preferences
from pages.ui.progress import show_job
from pages.ui.texts import llm_panel, queues, steps
from pages.ui.texts.clustering import want_count
from pages.ui.texts.curve import answered_curve, draw_curve
from pages.ui.texts.examples import examples_panel
from pages.ui.texts.judges import Judge, choose_judge
from pages.ui.texts.triplet_panel import person_cards

if TYPE_CHECKING:
    from esmc_core.texts.hierarchy import Hierarchy
    from esmc_core.texts.study import Study

FEWEST_TEXTS = 4
STEP = "ask-pairs"
USUAL = {"person": 40, "llm": 600, "both": 600}


def granularity_panel(study: Study) -> None:
    """A box that opens: pair questions, the curve, and a click on it that sets the number."""
    if study.collection.n_texts < FEWEST_TEXTS:
        return
    box = st.expander(
        "Find the number by questions about pairs",
        icon=":material/rule:",
        key=f"granularity-{study.key}",
        on_change="rerun",
    )
    if not box.open:
        return
    with box, guard.errors_shown():
        round = study.round_in_use
        hierarchy = study.find_hierarchy(round)
        if hierarchy is None:
            _begin(study, round)
        else:
            _ask(study, round, hierarchy)


def _begin(study: Study, round: str) -> None:
    key = steps.key_of_step(study, "pairs", round)
    job = show_job(key)
    if job is not None and job.is_active:
        return
    if study.find_hierarchy(round) is not None:  # it ended while the page ran
        st.rerun()
    st.markdown(
        "Pairs of texts, on the border of being together, are asked about: do they have the same "
        f"{guard.escape(study.perspective)}? The number of clusters that agrees best with the "
        "answers is suggested."
    )
    if st.button("Prepare the questions", type="primary", icon=":material/rule:"):
        steps.draw_pairs(study, round)
        st.rerun()


def _ask(study: Study, round: str, hierarchy: Hierarchy) -> None:
    left, right = st.columns([3, 1])
    with left:
        judge = choose_judge("pair-judge")
    kind = judge.kind if judge else "llm"
    place = (study.collection.key, study.key)
    n_pairs = len(queues.questions_of(queues.Queue(*place, "pairs", round)))
    goals: dict[str, int] = preferences.get("pair_goals", {})
    remembered = goals.get(kind)
    usual = remembered if isinstance(remembered, int) else USUAL[kind]
    with right:
        goal = int(
            st.number_input(
                "Pairs",
                min_value=1,
                max_value=max(1, n_pairs),
                value=max(1, min(usual, n_pairs)),
                key=f"pair-goal-{kind}-{n_pairs}",
                persist_state="session",
                help="Of coarse and fine borders alike; more make the curve surer.",
            )
        )
    preferences.put(pair_goals=goals | {kind: goal})
    llm_panel.show_others(study, f"{STEP}/{round}", judge)
    if judge is None:
        return
    examples_panel(study, hierarchy)
    queue = queues.Queue(*place, "pairs", round, goal)
    if judge.endpoint is not None:
        questions = queues.questions_of(queue)
        asked = [questions[number] for number in queues.numbers_of(queue)]
        llm_panel.llm_panel(study, judge, asked, None, step=f"{STEP}/{round}")
    if judge.kind != "llm":
        if judge.kind == "both":
            st.caption("Your own answers count before the LLM's.")
        person_cards(study, round, queue)
    _curve(study, judge, hierarchy, round)


def _curve(study: Study, judge: Judge, hierarchy: Hierarchy, round: str) -> None:
    curve = answered_curve(study, judge, hierarchy, round)
    if curve is None:
        st.caption("The curve appears with the first answers.")
        return
    chosen = draw_curve(curve, key=f"curve-{study.key}")
    if chosen is not None and chosen != st.session_state.get("curve_chosen"):
        st.session_state["curve_chosen"] = chosen
        want_count(chosen)
        st.rerun()
