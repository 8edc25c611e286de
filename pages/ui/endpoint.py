"""The LLM that answers for the user: an OpenAI-compatible endpoint, and what it costs."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import streamlit as st

from esmc_core.errors import InputError
from esmc_core.keywords import Endpoint, EndpointError
from pages.ui import guard, preferences
from pages.ui.guard import escape

if TYPE_CHECKING:
    from esmc_core.texts.spend import Prices

TEST_TIMEOUT_S = 20.0
_KEY, _URL, _MODEL = "endpoint", "endpoint_url", "endpoint_model"


def current() -> Endpoint | None:
    """That of the environment, else the one given in this session."""
    given: Endpoint | None = st.session_state.get(_KEY)
    return Endpoint.from_env() or given


def prices() -> Prices:
    """Money for a million tokens, as the user has set it."""
    from esmc_core.texts.spend import Prices

    return Prices(preferences.get("price_prompt", 0.0), preferences.get("price_completion", 0.0))


def settings() -> None:
    """The form for the endpoint; the key stays in this session's memory."""
    st.subheader("LLM endpoint")
    st.caption(
        "Optional, and OpenAI-compatible. For pictures it suggests keywords: only the criterion is "
        "sent. For texts it answers questions and names clusters: the texts asked about are sent. "
        "The key is kept in memory until this tab is closed."
    )
    from_env = Endpoint.from_env()
    if from_env:
        st.info(f"{from_env.model} is set by the environment.")
    else:
        _form()
    used = current()
    if used and st.button(
        "Send a test question", help="One short question, with nothing of yours in it."
    ):
        try:
            _test(used)
        except EndpointError as error:
            guard.show_error(error)
    _price_boxes()


def _form() -> None:
    # Not by `value`: a box whose value changes is another box, and loses what was typed.
    for name in (_URL, _MODEL):
        st.session_state.setdefault(name, preferences.get(name, ""))
    with st.form("endpoint-form", border=False):
        url = st.text_input("Address", key=_URL, placeholder="http://localhost:11434/v1")
        name = st.text_input("Model", key=_MODEL)
        key = st.text_input("Key", type="password", placeholder="none for a local server")
        if st.form_submit_button("Use this endpoint"):
            _use(url.strip(), name.strip(), key.strip())


def _use(url: str, name: str, key: str) -> None:
    """Remember the address and the model on disk, the key in this session only."""
    from esmc_core.texts.chat import check_endpoint

    if not (url.startswith(("http://", "https://")) and name):
        raise InputError("The endpoint is not complete.", "Give an http address and a model.")
    endpoint = Endpoint(url, name, key)
    check_endpoint(endpoint)
    st.session_state[_KEY] = endpoint
    preferences.put(**{_URL: url, _MODEL: name})
    st.success(
        f"{name} at {url} is used from now on: the criterion page offers “Ask the LLM”, and texts "
        "can be judged by it."
    )


def _test(endpoint: Endpoint) -> None:
    """Ask for one word, and tell what comes back and after how long."""
    from esmc_core.texts.chat import Chat, NoReply, judge_name

    begun = time.monotonic()
    try:
        with closing(Chat(endpoint, timeout_s=TEST_TIMEOUT_S)) as chat, st.spinner("Asking …"):
            reply = chat.ask("Answer with the one word yes.")
    except NoReply as error:
        raise EndpointError(
            f"{judge_name(endpoint)} gave no answer: {error.reason}.",
            "Check the address, and whether the server runs.",
        ) from None
    said = " ".join(reply.text.split())[:80]
    st.success(
        escape(f"{judge_name(endpoint)} answered “{said}” after ")
        + f"{time.monotonic() - begun:.1f} s."
    )


def _price_boxes() -> None:
    titles = {"price_prompt": "Price of what it reads", "price_completion": "Of what it writes"}
    for column, (name, title) in zip(st.columns(2), titles.items(), strict=True):
        price = column.number_input(
            title,
            min_value=0.0,
            value=preferences.get(name, 0.0),
            step=0.05,
            format="%.3f",
            key=name,
            help="For a million tokens, in your currency; 0 for a model of your own.",
        )
        preferences.put(**{name: float(price)})
