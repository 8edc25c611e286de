"""The tuned embedder as a file."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from esmc_core.texts.rounds import Round
    from esmc_core.texts.study import Study


def download_embedder(study: Study, made: Round, number: int) -> None:
    """The button; the file is made when it is pressed."""
    stem = file_stem(study, f"round-{number}")
    st.download_button(
        "Download the tuned embedder",
        lambda: zipped(study, made.key, stem),
        f"{stem}.zip",
        "application/zip",
        icon=":material/download:",
        on_click="ignore",  # a run of the page would take away what the click asks for
        help=f"A zip with one folder. Unpacked, SentenceTransformer(“{stem}”) opens it, in any "
        "program that uses sentence-transformers.",
    )


def zipped(study: Study, round: str, stem: str) -> bytes:
    """The embedder after a round as a zip with one folder, named `stem`."""
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / stem
        study.embedder(round).save(folder)
        with zipfile.ZipFile(content, "w") as archive:  # weights do not shrink
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(temporary))
    return content.getvalue()


def file_stem(study: Study, what: str) -> str:
    """A file's name that tells where it is from."""
    words = f"{Path(study.collection.name).stem} {study.perspective} {what}"
    return re.sub(r"\W+", "-", words).strip("-").lower()
