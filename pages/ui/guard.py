"""What the user sees when something cannot be done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import FragmentHandledException
from streamlit.runtime.scriptrunner import RerunException, StopException

from esmc_core.errors import EsmcError

logger = logging.getLogger(__name__)


def show_error(error: EsmcError) -> None:
    """One card: what is wrong, and what to do."""
    st.error(f"**{escape(error.message)}** {escape(error.hint)}", icon=":material/error:")


@contextmanager
def errors_shown() -> Iterator[None]:
    """Turn the user's errors into cards, and others into one that says where to look."""
    try:
        yield
    except (RerunException, StopException, FragmentHandledException):
        raise
    except EsmcError as error:
        show_error(error)
    except Exception as error:  # a page must never show a stack trace
        logger.exception("A page failed")
        st.error(
            f"**Something went wrong here: {type(error).__name__}.** Your work is on disk; reload "
            "the page to go on. The server's log tells more.",
            icon=":material/error:",
        )


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(
        f"\\{character}" if character in "\\`*_{}[]<>#$~|:" else character for character in text
    )
