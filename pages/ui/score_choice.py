"""Which score the heatmap shows, and the keywords of the keyword score."""

from __future__ import annotations

import streamlit as st

from esmc_core.errors import EsmcError
from esmc_core.keywords import Endpoint, ask_keywords, parse_keywords
from esmc_core.lens_store import LensStore
from pages.ui import endpoint, guard, preferences
from pages.ui.guard import escape
from pages.ui.resources import models

SCORES = ["information", "keywords", "confidence"]
HELP = """
**Information**: how much the answers differ between pictures while each is sure, in bits. Needs
nothing from you.

**Keywords**: how probable the answers that you expect are, such as *red, black, white*.

**Confidence**: the probability of the most probable word, on average.

The suggestion ★ ranges over the criterion's content words and what follows them: an early *the* can
score by foretelling the next word of the prompt. At near-equal scores the later position wins.
"""


def choose_score(store: LensStore) -> tuple[str, tuple[int, ...]]:
    """The score, and the keywords' first tokens (none if it is another score)."""
    remembered = preferences.get("score", SCORES[0])
    score = st.segmented_control(
        "Score",
        SCORES,
        default=remembered if remembered in SCORES else SCORES[0],
        required=True,
        format_func=str.capitalize,
        key="score",
        help=HELP,
    )
    preferences.put(score=score)
    if score != "keywords":
        return str(score), ()
    words = _keywords(store)
    if not words:
        st.caption("Until there are keywords, the information score is shown.")
        return SCORES[0], ()
    tokens = _first_tokens(store, words)
    st.caption(f"Counted by their first tokens: {_shown(store, tokens)}.")
    return str(score), tokens


def _keywords(store: LensStore) -> list[str]:
    name = f"keywords-{store.key}"
    remembered: dict[str, str] = preferences.get("keywords", {})
    if name not in st.session_state:
        st.session_state[name] = remembered.get(store.spec.criterion, "")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Keywords",
            key=name,
            placeholder="red, black, white, silver",
            help="Separated by commas. A keyword of several tokens counts by its first token.",
        )
        st.button("From the lens", on_click=_from_lens, args=(store, name))
        asked = endpoint.current()
        if asked:
            st.button("Ask the LLM", on_click=_from_endpoint, args=(store, name, asked))
    problem = st.session_state.pop("keywords_problem", None)
    if problem:
        guard.show_error(problem)
    try:
        words = parse_keywords(st.session_state[name]) if st.session_state[name].strip() else []
    except EsmcError as error:
        guard.show_error(error)
        return []
    preferences.put(keywords=remembered | {store.spec.criterion: ", ".join(words)})
    return words


def _from_lens(store: LensStore, name: str) -> None:
    from esmc_core.spelling import plain_text
    from esmc_core.target import SAMPLE_SIZE, lens_keywords
    from pages.ui.lens_views import scored

    layer, position = scored(store, "information").suggested
    cell = store.cell(layer, position, store.sample(SAMPLE_SIZE))
    words = map(plain_text, store.token_texts(lens_keywords(cell)))
    st.session_state[name] = ", ".join(dict.fromkeys(filter(str.isalpha, words)))


def _from_endpoint(store: LensStore, name: str, endpoint: Endpoint) -> None:
    try:
        words = ask_keywords(store.spec.criterion, endpoint=endpoint)
        st.session_state[name] = ", ".join(words)
    except EsmcError as error:
        st.session_state["keywords_problem"] = error


@st.cache_data(max_entries=64, show_spinner="Reading the keywords …")
def _tokens_of(model: str, words: tuple[str, ...]) -> tuple[int, ...]:
    loaded = models().get(model)
    return tuple(dict.fromkeys(loaded.first_token(word) for word in words))


def _first_tokens(store: LensStore, words: list[str]) -> tuple[int, ...]:
    return _tokens_of(store.spec.model, tuple(words))


def _shown(store: LensStore, tokens: tuple[int, ...]) -> str:
    return ", ".join(escape(text.strip("▁Ġ ")) for text in store.token_texts(tokens))
