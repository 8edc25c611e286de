"""Step 2: the criterion, and where in the model its answer appears."""

import streamlit as st

from esmc_core.images import Collection
from pages.ui import more_criteria, passes, place, preferences
from pages.ui.explorer import explorer
from pages.ui.guard import escape
from pages.ui.navigation import nothing_here
from pages.ui.progress import progress_slot, show_job

EXAMPLES = [
    "the color of the car is",
    "the color of the object is",
    "the background color is",
    "the color of the flower is",
    "the type of the product is",
]


def main() -> None:
    collection = place.open_collection()
    if collection is None:
        nothing_here(
            "A criterion needs pictures to look at.", go_to="images", label="Choose pictures"
        )
        return
    st.title("What should the pictures be sorted by?")
    ask(collection)
    if is_waiting(collection):
        return
    store = place.open_store()
    if store is not None:
        explorer(collection, store)


def ask(collection: Collection) -> None:
    """The criterion's form, with examples and earlier criteria one click away."""
    store = place.open_store()
    if "criterion" not in st.session_state and store is not None:
        st.session_state["criterion"] = store.spec.criterion
    with st.form("ask", border=False):
        left, right = st.columns([6, 1], vertical_alignment="bottom")
        left.text_input(
            f"Criterion for the pictures of “{escape(collection.name)}”",
            key="criterion",
            placeholder="the color of the car is",
            help="The beginning of a sentence that the model finishes for each picture; "
            "its next word is the answer.",
        )
        look = right.form_submit_button(
            "Look", type="primary", width="stretch", on_click=more_criteria.tidy
        )
        others = more_criteria.fields()
        st.form_submit_button(
            "Add another criterion",
            type="tertiary",
            icon=":material/add:",
            on_click=more_criteria.add,
            disabled=len(others) >= more_criteria.MAX_OTHERS,
            help="Criteria that are given together share one look at each picture. For those that "
            "come later, what a small model saw is kept; a large one looks again.",
        )
    chosen = _suggested(store.spec.criterion if store is not None else None, n_others=len(others))
    if look or chosen:
        criteria = [st.session_state["criterion"], *others]
        passes.start(collection, [text for text in criteria if text.strip()] or [""])


def _suggested(shown: str | None, *, n_others: int) -> str | None:
    """Earlier criteria and examples; returns one that was clicked.

    Args:
        shown: the criterion whose heatmap stands below; it is marked.
    """
    earlier = preferences.get("criteria", [])[: max(preferences.N_SHOWN, 1 + n_others)]
    suggestions = list(dict.fromkeys([*earlier, *EXAMPLES]))[:8]
    key = f"examples-{st.session_state.get('examples_round', 0)}-{shown}"
    marked = shown if shown in suggestions else None

    def choose() -> None:
        # A click on the marked one unmarks it: it is asked for again all the same.
        st.session_state["criterion"] = st.session_state[key] or marked
        st.session_state["examples_round"] = st.session_state.get("examples_round", 0) + 1
        st.session_state["example_clicked"] = True
        more_criteria.clear()

    st.pills(
        "Earlier criteria and examples",
        suggestions,
        default=marked,
        format_func=escape,
        label_visibility="collapsed",
        key=key,
        on_change=choose,
    )
    is_clicked = st.session_state.pop("example_clicked", False)
    return st.session_state["criterion"] if is_clicked else None


def is_waiting(collection: Collection) -> bool:
    """Whether the asked pass has no place on disk yet; draws its progress or its error."""
    job = passes.asked(collection)
    if job is None:
        return False
    key = passes.shown(job)
    if key is not None:
        passes.arrived()
        if key != place.here().lens:
            place.go(lens=key)
            st.rerun()  # what is above has been drawn for the one before
        return False
    if not job.is_active:
        show_job(job.key)
        return False
    with progress_slot():
        show_job(job.key)
    st.skeleton(height=420)
    return True


main()
