"""Walking a folder on this machine's disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from esmc_core.images.collection import Refusal, showable
from esmc_core.images.entry import Entry, is_clutter


def walk_folder(root: Path, *, skip: Path) -> Iterator[Entry | Refusal]:
    """Every file under `root` in a fixed order, and what may not be followed or listed.

    Links to files under `root` are followed; links to folders never, so a loop is harmless.

    Args:
        root: resolved folder.
        skip: resolved folder that is left out (the app's own state).
    """
    failed: list[OSError] = []
    for folder, names, files in os.walk(root, onerror=failed.append):
        here = Path(folder)
        links = [name for name in names if (here / name).is_symlink()]
        names[:] = sorted(
            name
            for name in names
            if name not in links and not is_clutter(name) and here / name != skip
        )
        for name in sorted([*files, *links]):
            if not is_clutter(name):
                yield from _look_at(here / name, root)
    for error in failed:
        yield Refusal(
            _file_under(root, Path(error.filename)),
            f"The folder cannot be listed: {error.strerror}. Check its permissions.",
        )


def _look_at(path: Path, root: Path) -> Iterator[Entry | Refusal]:
    file = _file_under(root, path)
    if not path.is_symlink():
        yield Entry(file, path)
        return
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        yield Refusal(file, "A link that leads nowhere.")
        return
    if not target.is_relative_to(root):
        yield Refusal(file, "A link that leads outside the folder. Copy its target here.")
    elif not target.is_dir():
        yield Entry(file, path)


def _file_under(root: Path, path: Path) -> str:
    return showable(path.relative_to(root).as_posix())
