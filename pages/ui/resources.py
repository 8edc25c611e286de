"""What all sessions of the server share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from esmc_core.jobs import JobRunner
from esmc_core.models.cache import ModelCache
from esmc_core.projection_worker import ProjectionWorker
from esmc_core.texts.library import TextLibrary
from esmc_core.workspace import Workspace

if TYPE_CHECKING:
    from esmc_core.texts.workspace import TextWorkspace


@cache
def workspace() -> Workspace:
    """The home folder."""
    return Workspace()


@cache
def text_library() -> TextLibrary:
    """The collections of texts; at hand without what tunes and embeds them."""
    return TextLibrary(workspace().config.home)


@cache
def text_workspace() -> TextWorkspace:
    """Texts and all that is made of them."""
    from esmc_core.texts.workspace import TextWorkspace

    return TextWorkspace(workspace().config)


@cache
def jobs() -> JobRunner:
    """The work in the background; it goes on when a page is left or reloaded."""
    return JobRunner()


@cache
def models() -> ModelCache:
    """The loaded model."""
    return ModelCache()


@cache
def projection() -> ProjectionWorker:
    """The process that lays out maps."""
    return ProjectionWorker()
