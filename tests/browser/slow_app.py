"""Streamlit's command line with passes that take their time: `python -m tests.browser.slow_app`."""

from __future__ import annotations

import time
from typing import Any

from streamlit.web import cli

from esmc_core.lens_store import LensStore
from esmc_core.projection_worker import ProjectionWorker

BATCH_S = 1.5
_put = LensStore.put


def put_slowly(store: LensStore, *batch: Any) -> None:
    """Write a batch as a slow disk does."""
    time.sleep(BATCH_S)
    _put(store, *batch)


if __name__ == "__main__":
    LensStore.put = put_slowly  # type: ignore[method-assign]
    # Nobody asks this app for a map.
    ProjectionWorker.warm_up = lambda self: None  # type: ignore[method-assign]
    cli.main()
