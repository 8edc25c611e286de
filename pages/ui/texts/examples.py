"""Worked examples for the questions about pairs, which the user edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

if TYPE_CHECKING:
    from esmc_core.texts.hierarchy import Hierarchy
    from esmc_core.texts.questions import Example
    from esmc_core.texts.study import Study

COLUMNS = {"first": "Text 1", "second": "Text 2", "together": "Same", "reason": "Because"}


def examples_panel(study: Study, hierarchy: Hierarchy) -> None:
    """The examples as a table; what is kept goes into each question of an LLM's."""
    given = study.examples
    with st.expander(f"Worked examples: {len(given)}", icon=":material/school:"):
        st.caption(
            "They show an LLM what “the same” means here. Answers under other examples are answers "
            "to other questions: change them before asking."
        )
        suggested = st.session_state.get(f"suggested-{study.key}")
        rows = suggested if suggested is not None else given
        table = pd.DataFrame(
            [[getattr(row, name) for name in COLUMNS] for row in rows], columns=list(COLUMNS)
        ).astype({"first": str, "second": str, "together": bool, "reason": str})
        edited = st.data_editor(
            table,
            num_rows="dynamic",
            hide_index=True,
            column_config=COLUMNS,
            key=f"examples-{study.key}-{len(rows)}-{suggested is not None}",
        )
        with st.container(horizontal=True):
            if st.button("Keep these examples", type="primary"):
                study.set_examples(_examples(edited))
                st.session_state.pop(f"suggested-{study.key}", None)
                st.rerun()
            if st.button("Suggest four", help="Of the embedder's own guesses: correct them."):
                from esmc_core.texts.granularity import suggest_examples

                found = suggest_examples(study.collection.texts, hierarchy)
                st.session_state[f"suggested-{study.key}"] = found
                st.rerun()


def _examples(table: pd.DataFrame) -> list[Example]:
    from esmc_core.texts.questions import Example

    found = []
    for row in table.itertuples(index=False):
        first, second, reason = (_text(value) for value in (row.first, row.second, row.reason))
        if first and second:
            found.append(Example(first, second, together=row.together is True, reason=reason))
    return found


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()
