"""Work that is done ahead of the user, once a process, after the first page is on the screen."""

from __future__ import annotations

from functools import cache

from pages.ui.resources import jobs


@cache
def start() -> None:
    """Compile the map's code in the background, which takes half a minute the first time."""

    def warm_up(_job: object) -> None:
        from esmc_core.projection import warm_up

        warm_up()

    jobs().submit("warm-up", warm_up, title="Preparing the map", lane="map")
