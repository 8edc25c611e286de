"""Getting pictures in: a folder, files, an archive, a path, or the samples."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import streamlit as st

from esmc_core.images import Collection
from esmc_core.jobs import Job
from pages.ui import place
from pages.ui.progress import show_job
from pages.ui.resources import jobs, workspace

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
_JOB, _ROUND, _UPLOADED = "intake_job", "intake_round", "intake_uploaded"
Read = Callable[[Job], Collection]


def intake_panel() -> None:
    """The ways to add pictures; the session moves to the collection once it is read."""
    job = show_job(st.session_state.get(_JOB, ""))
    if job and job.is_active:
        return
    if job and st.session_state.pop(_UPLOADED, None):  # a new uploader forgets the files
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    if job and job.state == "done":
        del st.session_state[_JOB]
        place.go(collection=job.result.key)
        st.rerun()
    with st.container(key="intake"):
        _ways_in()


def _ways_in() -> None:
    names = ["Folder", "Files or archive"] + ["Path on this computer"] * bool(_roots())
    tabs = st.tabs(names)
    with tabs[0]:
        _uploader("Drop a folder of pictures here", "directory")
    with tabs[1]:
        _uploader("Drop pictures, or a zip or tar archive, here", True)
    if _roots():
        with tabs[2]:
            _path_form()


def open_samples() -> None:
    """Read the pictures that come with the app, and not what tells of them."""
    pictures = [(path.name, path.read_bytes()) for path in sorted(SAMPLES.glob("*.jpg"))]
    _start(
        lambda job: workspace().library.read_uploads(
            pictures,
            name="Sample objects",
            source=str(SAMPLES),
            progress=job.progress,
            should_stop=job.should_stop,
        ),
        "Opening the samples",
    )


def _uploader(label: str, kind: Any) -> None:
    key = f"upload-{kind}-{st.session_state.get(_ROUND, 0)}"
    files: Any = st.file_uploader(
        label,
        accept_multiple_files=kind,
        key=key,
        help="JPEG, PNG, WebP, BMP, TIFF, GIF, PGM. They stay on the computer that runs the app.",
    )
    if files and not st.session_state.get(_UPLOADED):
        st.session_state[_UPLOADED] = True
        name, uploads = _name_uploads([(file.name, file) for file in files])
        _start(
            lambda job: workspace().library.read_uploads(
                uploads, name=name, progress=job.progress, should_stop=job.should_stop
            ),
            "Reading pictures",
        )
        st.rerun()


def _path_form() -> None:
    with st.form("path", border=False):
        path = st.text_input("Folder or archive", placeholder="/home/me/Pictures/cars")
        st.caption(f"Folders under {', '.join(map(str, _roots()))} can be opened where they lie.")
        if st.form_submit_button("Open") and path.strip():
            allowed = workspace().config.allowed_path(path.strip())
            _start(lambda job: _read_folder(allowed, job), "Reading pictures")
            st.rerun()


def _read_folder(folder: Path, job: Job) -> Collection:
    return workspace().library.read_folder(
        folder, progress=job.progress, should_stop=job.should_stop
    )


def _start(read: Read, title: str) -> None:
    key = st.session_state[_JOB] = f"intake-{uuid.uuid4().hex}"
    jobs().submit(key, read, title=title, lane="pictures")


def _roots() -> tuple[Path, ...]:
    return workspace().config.image_roots


def _name_uploads(files: list[tuple[str, Any]]) -> tuple[str, list[tuple[str, Any]]]:
    """A name for the collection, and the files by their paths under the folder dropped."""
    paths = [(PurePosixPath(name), file) for name, file in files]
    folders = {path.parts[0] for path, _ in paths if len(path.parts) > 1}
    if len(folders) == 1 and all(len(path.parts) > 1 for path, _ in paths):
        folder = folders.pop()
        return folder, [(str(path.relative_to(folder)), file) for path, file in paths]
    stem = min(path.name for path, _ in paths).split(".")[0]
    name = stem if len(paths) == 1 else f"{stem} and {len(paths) - 1} more"
    return name, [(str(path), file) for path, file in paths]
