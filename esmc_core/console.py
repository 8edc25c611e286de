"""What all commands do first, before anything heavy is imported, and how they tell progress."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from esmc_core.errors import InputError

_OUTPUTS = {
    "cluster": {".csv", ".parquet"},
    "lens": {".json", ".html"},
    "text": {".csv", ".parquet"},
}


def check_files(options: argparse.Namespace) -> None:
    """Look for what a command reads, and whether its tables can be written.

    Raises:
        InputError: pictures or texts are missing, or what is to be written cannot be.
    """
    from esmc_core.images.library import existing_path
    from esmc_core.images.remote import local_path
    from esmc_core.texts.tables import existing_file

    if options.command in _OUTPUTS:
        _check_output(options.out, _OUTPUTS[options.command], option="--out")
    for name, suffix in (("json", ".json"), ("markdown", ".md")):
        path = getattr(options, name, None)
        if path is not None:
            _check_output(path, {suffix}, option=f"--{name}")
    if options.command == "text":
        existing_file(options.file)
    place = getattr(options, "photos", None) or getattr(options, "data", None)
    path = None if place is None else local_path(place)
    if path is not None:
        existing_path(path)


def _check_output(path: Path, suffixes: set[str], *, option: str) -> None:
    if path.suffix.lower() not in suffixes:
        raise InputError(
            f"{path.name} is no {' or '.join(sorted(suffixes))} file.",
            f"Change the {option} name.",
        )
    if not path.resolve().parent.is_dir():
        raise InputError(f"There is no folder {path.resolve().parent}.", "Make it first.")
    if path.is_dir():
        raise InputError(f"{path} is a folder.", f"Change the {option} name.")


class Bar:
    """A progress bar on stderr, where that is a terminal, as the callback that the core calls."""

    def __init__(self, title: str, *, unit: str = " pictures") -> None:
        from tqdm import tqdm

        # None: not where nobody watches.
        self._bar = tqdm(desc=title, file=sys.stderr, leave=False, unit=unit, disable=None)

    def __enter__(self) -> Callable[[int, int | None], None]:
        return self._advance

    def __exit__(self, *_error: object) -> None:
        self._bar.close()

    def _advance(self, done: int, total: int | None) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)  # tqdm draws ten times a second at most
