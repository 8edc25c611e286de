"""Getting texts in: a file and its column, or the samples."""

from __future__ import annotations

import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from esmc_core.errors import EsmcError
from esmc_core.jobs import Job
from esmc_core.texts.collection import TextCollection, collect_column
from esmc_core.texts.tables import FORMATS, Table, parse_table
from pages.ui import place
from pages.ui.progress import show_job
from pages.ui.resources import jobs, text_library
from pages.ui.texts.columns import choose_columns

SAMPLES = Path(__file__).resolve().parents[3] / "assets" / "texts" / "messages.csv"
_JOB, _ROUND, _FILE = "texts_job", "texts_round", "texts_file"


def intake_panel() -> None:
    """Take a file; once it is read, ask for its column."""
    job = show_job(st.session_state.get(_JOB, ""))
    if job is not None and job.is_active:
        return
    if job is not None and job.state == "done":
        _columns(job)
        return
    with st.container(key="intake"):
        _uploader()


def open_samples() -> None:
    """Take the texts that come with the app, with their labels for evaluation."""
    table = parse_table(SAMPLES.name, SAMPLES.read_bytes())
    collection = collect_column(table, "text")
    named = TextCollection("Sample messages", "text", collection.texts, collection.rows)
    _open(text_library().add(named, labels=table.column("intent")))


def _uploader() -> None:
    kinds = sorted({suffix.lstrip(".") for suffix in FORMATS if suffix})
    file: Any = st.file_uploader(
        "Drop a file of texts here",
        type=kinds,
        key=f"texts-upload-{st.session_state.get(_ROUND, 0)}",
        help="CSV, TSV, JSONL, Parquet, or plain text with one text a line. It stays on the "
        "computer that runs the app.",
    )
    if file is not None:
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1  # the next one is empty
        _read(file.name, file.getvalue(), "")
        st.rerun()


def _read(name: str, content: bytes, encoding: str) -> None:
    def work(job: Job) -> tuple[Table, bytes]:
        job.at(name)
        return parse_table(name, content, encoding=encoding), content

    key = st.session_state[_JOB] = f"texts-intake/{uuid.uuid4().hex}"
    jobs().submit(key, work, title="Reading the file", lane="intake")


def _columns(job: Job) -> None:
    """The file that was read: which of its columns holds the texts?"""
    table, content = job.result
    chosen = choose_columns(table, lambda column: _collected(job.id, column))
    with st.container(horizontal=True, vertical_alignment="center"):
        is_wanted = st.button(
            "Use these texts", type="primary", icon=":material/check:", disabled=chosen is None
        )
        if st.button("Another file"):
            _forget()
            st.rerun()
        _encoding_box(table, content)
    if is_wanted and chosen is not None:
        labels = table.column(chosen.label_column) if chosen.label_column else None
        _forget()
        _open(text_library().add(chosen.collection, labels=labels))
        st.rerun()


def _encoding_box(table: Table, content: bytes) -> None:
    if not table.encoding:
        return
    with st.popover(f"Encoding: {table.encoding}", icon=":material/translate:"):
        st.caption("Found in the file. Choose another where letters look wrong.")
        name = st.text_input("Encoding", table.encoding, key=f"encoding-{table.encoding}")
        if st.button("Read again") and name.strip():
            _read(table.name, content, name.strip())
            st.rerun()


def _forget() -> None:
    st.session_state.pop(_JOB, None)


def _open(collection: TextCollection) -> None:
    place.go(texts=collection.key)


@lru_cache(maxsize=4)
def _collected(job_id: str, column: str) -> TextCollection | EsmcError:
    job = jobs().find(job_id)
    assert job is not None  # as the page has just shown it
    try:
        return collect_column(job.result[0], column)
    except EsmcError as error:
        return error
