"""Which column of a file holds the texts, and which, if any, labels for evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from esmc_core.errors import EsmcError, InputError
from esmc_core.texts.collection import TextCollection
from esmc_core.texts.tables import Table
from pages.ui import guard
from pages.ui.wording import counted

N_PREVIEW = 8
NO_LABELS = "no labels"


@dataclass(frozen=True)
class Chosen:
    """The texts, and the column of labels; "" for none."""

    collection: TextCollection
    label_column: str


def choose_columns(
    table: Table, collect: Callable[[str], TextCollection | EsmcError]
) -> Chosen | None:
    """Draw the choice and a preview; None where the column cannot be used.

    Args:
        collect: from a column to its texts, or to what is wrong with them.
    """
    st.subheader(guard.escape(table.name))
    names = list(table.columns)
    left, right = st.columns(2)
    column = left.selectbox(
        "Column with the texts",
        names,
        index=names.index(table.suggested_column()),
        key="texts-column",
    )
    others = [name for name in names if name != column]
    label = right.selectbox(
        "Labels, for evaluation only",
        [NO_LABELS, *others],
        key="texts-label-column",
        help="True groups, if you have them. Nothing but the quality figures ever sees them.",
    )
    found = collect(column)
    if isinstance(found, EsmcError):
        guard.show_error(found)
        return None
    _preview(table, column, "" if label == NO_LABELS else label)
    st.caption(_told(table, found))
    return Chosen(found, "" if label == NO_LABELS else label) if _is_usable(found) else None


def _is_usable(found: TextCollection) -> bool:
    if found.n_texts < 2:
        guard.show_error(
            InputError(
                f"There is only 1 different text in {counted(found.n_rows, 'row')}.",
                "Choose another column, or a file with more.",
            )
        )
        return False
    if found.n_texts < 4:
        st.warning(
            f"{found.n_texts} texts can be clustered, but are too few to ask questions about: "
            "that takes 4 or more."
        )
    if _are_numbers(found.texts[:1000]):
        st.warning("These look like numbers, not texts. Is there a column with sentences?")
    return True


def _are_numbers(texts: tuple[str, ...]) -> bool:
    numbers = pd.to_numeric(pd.Series(texts), errors="coerce")
    return bool(numbers.notna().mean() > 0.9)


def _told(table: Table, found: TextCollection) -> str:
    parts = [counted(found.n_texts, "different text"), counted(found.n_rows, "row")]
    if len(found.empty_rows):
        parts.append(f"{len(found.empty_rows):,} empty")
    if found.duplicates:
        parts.append(f"{len(found.duplicates):,} repeated")
    if table.encoding:
        parts.append(f"read as {table.encoding}")
    return " · ".join(parts)


def _preview(table: Table, column: str, label: str) -> None:
    shown = [column, label] if label else [column]
    rows = {name: table.columns[name][:N_PREVIEW] for name in shown}
    height = 38 + 35 * min(N_PREVIEW, table.n_rows)
    with st.container(height=height + 4, border=False):  # the table comes later: nothing moves then
        st.dataframe(pd.DataFrame(rows), hide_index=True, height=height)
