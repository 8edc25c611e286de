"""What all sessions of the server share."""

from __future__ import annotations

from functools import cache

from esmc_core.jobs import JobRunner
from esmc_core.models.cache import ModelCache
from esmc_core.projection_worker import ProjectionWorker
from esmc_core.workspace import Workspace


@cache
def workspace() -> Workspace:
    """The home folder."""
    return Workspace()


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
