"""The perspective on the texts, in the user's words, and the embedder that reads them."""

from __future__ import annotations

import streamlit as st

from esmc_core.texts.collection import TextCollection
from pages.ui import place, preferences
from pages.ui.guard import escape
from pages.ui.resources import text_workspace
from pages.ui.texts.opened import open_study

EXAMPLES = ["intent", "topic", "emotion", "kind of complaint", "product that it is about"]
N_EARLIER = 5


def perspective_form(collection: TextCollection) -> None:
    """The form, with examples and earlier perspectives one click away."""
    study = open_study()
    if "perspective" not in st.session_state and study is not None:
        st.session_state["perspective"] = study.settings.perspective
    with st.form("perspective-form", border=False):
        left, middle, right = st.columns([8, 2.4, 2], vertical_alignment="bottom")
        left.text_input(
            f"Perspective on the texts of “{escape(collection.name)}”",
            key="perspective",
            placeholder="intent",
            help="What makes two texts belong together. It goes into the questions: “Which choice "
            "better corresponds with the query in terms of intent?”",
        )
        begin = right.form_submit_button("Begin", type="primary", width="stretch")
        with middle, st.popover("Embedder", width="stretch"):
            _embedder_boxes()
    key = f"perspectives-{st.session_state.get('perspectives_round', 0)}"
    earlier = preferences.get("perspectives", [])
    chosen = st.pills(
        "Earlier perspectives and examples",
        list(dict.fromkeys([*earlier[:N_EARLIER], *EXAMPLES]))[:8],
        format_func=escape,
        label_visibility="collapsed",
        key=key,
        on_change=lambda: st.session_state.update(perspective=st.session_state[key]),
    )
    if chosen:
        st.session_state["perspectives_round"] = st.session_state.get("perspectives_round", 0) + 1
    if begin or chosen:
        _begin(collection, chosen or st.session_state["perspective"])
        st.rerun()


def _embedder_boxes() -> None:
    from esmc_core.texts.embedder import BUNDLED

    st.text_input(
        "Sentence-transformers model",
        value=preferences.get("embedder", "") or BUNDLED,
        key="embedder",
        help=f"Hub id or folder, such as intfloat/e5-large-v2. {BUNDLED} comes with the app. "
        "Weights are read from safetensors; no code of the model is run.",
    )
    st.text_input(
        "Words before each text",
        value=preferences.get("embedder_prompt", ""),
        key="embedder_prompt",
        placeholder="as models of that name want",
        help="E5 wants “query: ”, Instructor an instruction. Empty: chosen by the model's name.",
    )


def _begin(collection: TextCollection, perspective: str) -> None:
    """Open the study of that perspective and embedder, new or as it was left."""
    from esmc_core.texts.embedder import BUNDLED
    from esmc_core.texts.study import StudySettings

    embedder = str(st.session_state["embedder"]).strip() or BUNDLED
    prompt = str(st.session_state["embedder_prompt"]) or None
    settings = StudySettings(perspective, embedder, prompt)
    study = text_workspace().study(collection, settings)
    words = study.perspective
    earlier = [one for one in preferences.get("perspectives", []) if one != words]
    preferences.put(
        perspectives=[words, *earlier][: 2 * N_EARLIER],
        embedder="" if embedder == BUNDLED else embedder,
        embedder_prompt=prompt or "",
    )
    place.go(study=study.key)
