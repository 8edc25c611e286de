"""The fields for further criteria, which are looked for together with the first."""

from __future__ import annotations

import streamlit as st

MAX_OTHERS = 7
_TEXTS = "more_criteria"
"""Key of what is in the fields; a field itself forgets it when the page is left."""


def fields() -> list[str]:
    """Draw the fields; what stands in them, empty ones too."""
    texts = []
    for number, text in enumerate(_texts()):
        key = _key(number)
        st.session_state.setdefault(key, text)
        texts.append(
            st.text_input(
                f"Criterion {number + 2}",
                key=key,
                placeholder="the background color is",
                label_visibility="collapsed",
            )
        )
    st.session_state[_TEXTS] = texts
    return texts


def add() -> None:
    """One more field, empty."""
    _fill([*_typed(), ""])


def tidy() -> None:
    """Take the empty fields away."""
    _fill([text for text in _typed() if text.strip()])


def clear() -> None:
    """Take all fields away."""
    _fill([])


def _texts() -> list[str]:
    texts: list[str] = st.session_state.get(_TEXTS, [])
    return texts


def _typed() -> list[str]:
    """What has just been sent, before the fields are drawn."""
    return [st.session_state.get(_key(number), text) for number, text in enumerate(_texts())]


def _fill(texts: list[str]) -> None:
    st.session_state[_TEXTS] = texts
    st.session_state.update({_key(number): text for number, text in enumerate(texts)})


def _key(number: int) -> str:
    return f"{_TEXTS}-{number}"
