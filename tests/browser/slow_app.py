"""Streamlit's command line with passes that take their time: `python -m tests.browser.slow_app`."""

from __future__ import annotations

import time
from typing import Any

from streamlit.web import cli

from esmc_core.extract import LensReader
from esmc_core.projection_worker import ProjectionWorker

BATCH_S = 1.5
_read = LensReader.__call__


def read_slowly(reader: LensReader, *batch: Any) -> Any:
    """Read a batch as a large model does."""
    time.sleep(BATCH_S)
    return _read(reader, *batch)


if __name__ == "__main__":
    LensReader.__call__ = read_slowly  # type: ignore[method-assign]
    # Nobody asks this app for a map.
    ProjectionWorker.warm_up = lambda self: None  # type: ignore[method-assign]
    cli.main()
