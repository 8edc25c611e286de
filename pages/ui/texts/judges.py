"""Who answers: the person, an LLM, or the LLM with the person checking it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from esmc_core.keywords import Endpoint
from pages.ui import endpoint, preferences
from pages.ui.navigation import switch

TITLES = {
    "person": "I answer",
    "llm": "An LLM answers",
    "both": "Both: I check the LLM",
}
HELP = """
**I answer**: nothing leaves this computer.

**An LLM answers**: the texts of the questions are sent to the endpoint of the settings.

**Both**: the LLM answers all, and you look at what it was unsure of, or where it contradicts the
embedder. Your answers count before the LLM's.
"""


@dataclass(frozen=True)
class Judge:
    """Who answers.

    Attributes:
        kind: of TITLES.
        name: as it stands beside the answers on disk.
        endpoint: the LLM's; None where the person answers alone.
    """

    kind: str
    name: str
    endpoint: Endpoint | None = None


def choose_judge(key: str) -> Judge | None:
    """Draw the choice; None where an LLM is wanted and none is set."""
    from esmc_core.texts.answers import PERSON
    from esmc_core.texts.chat import judge_name

    remembered = preferences.get("text_judge", "person")
    kind = st.segmented_control(
        "Who answers",
        list(TITLES),
        default=remembered if remembered in TITLES else "person",
        required=True,
        format_func=TITLES.__getitem__,
        key=key,
        help=HELP,
    )
    preferences.put(text_judge=kind)
    if kind == "person":
        return Judge("person", PERSON)
    found = endpoint.current()
    if found is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                "No LLM is set. Its key is asked for anew in each session.", width="stretch"
            )
            if st.button("Set the LLM", key=f"{key}-settings", icon=":material/settings:"):
                switch("settings")
        return None
    st.caption(f"Asks {judge_name(found)}.")
    return Judge(str(kind), judge_name(found), found)
