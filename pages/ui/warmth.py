"""Work that is done ahead of the user, once a process, after the first page is on the screen."""

from __future__ import annotations

from functools import cache

from esmc_core.jobs import Job
from esmc_core.models.catalogue import BUNDLED
from pages.ui import preferences
from pages.ui.resources import jobs, models, projection


@cache
def start() -> None:
    """Load the bundled model, and compile the map's code in its own process."""
    jobs().submit("warm-up", _load_model, title="Loading the model")
    projection().warm_up()


def _load_model(_job: Job) -> None:
    if preferences.model_name() == BUNDLED:  # a large model is not loaded before it is asked for
        models().get(BUNDLED)
