"""Long work off the page: one queue a lane, progress with an estimate, cancel."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from esmc_core.errors import Cancelled, EsmcError

logger = logging.getLogger(__name__)
State = Literal["queued", "running", "done", "failed", "cancelled"]


class Pausable(Protocol):
    """Work that can rest."""

    @property
    def is_paused(self) -> bool: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@dataclass
class Job:
    """A piece of work and how far it is.

    Attributes:
        key: what the work is; the same key is never run twice at a time.
        title: what the user reads.
        id: of this run of the work.
        done, total: units finished and in all; total 0 means not known yet.
        stage: what it is at, in words; "" while its units tell that.
        note: more about how it goes, in a line of its own.
        controls: of work that can be paused; the function sets it.
        partial: what the page may use before the end; the function sets it.
        result: what the function returned, once the state is "done".
        error: what went wrong, once the state is "failed".
    """

    key: str
    title: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: State = "queued"
    done: int = 0
    total: int = 0
    stage: str = ""
    note: str = ""
    controls: Pausable | None = None
    partial: Any = None
    result: Any = None
    error: EsmcError | None = None
    started_s: float = 0.0
    finished_s: float = 0.0
    _first: tuple[float, int] | None = field(default=None, repr=False)
    _cancel: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def is_active(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def fraction(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Seconds still to go at the pace so far; None while there is no pace yet."""
        if self._first is None or not self.total or self.state != "running":
            return None
        first_s, first_done = self._first
        if self.done <= first_done:
            return None
        return (time.monotonic() - first_s) / (self.done - first_done) * (self.total - self.done)

    def cancel(self) -> None:
        """Ask the work to stop at its next safe place."""
        self._cancel.set()

    def should_stop(self) -> bool:
        return self._cancel.is_set()

    def at(self, stage: str) -> Callable[[int, int], None]:
        """Begin a stage whose units would tell the user nothing: only their share is shown.

        Returns:
            What the stage calls with units done and in all.
        """
        self.stage, self.total = stage, 0
        return self._advance

    def progress(self, done: int, total: int | None) -> None:
        """What the work calls with units done and in all, which are shown."""
        self.stage = ""
        self._advance(done, total or 0)

    def _advance(self, done: int, total: int) -> None:
        """Note how far it is.

        The pace counts from the first call, not from loading, and anew after a pause and from
        where the work begins with something else: where less is done than before, or a total
        becomes known.
        """
        is_paused = self.controls is not None and self.controls.is_paused
        if self._first is None or not self.total or done < self.done or is_paused:
            self._first = (time.monotonic(), done)
        self.done, self.total = done, total


class JobRunner:
    """Runs jobs in background threads, one at a time in each lane.

    Lanes keep the device to one model at a time while small work goes on beside it.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lanes: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def submit(
        self,
        key: str,
        function: Callable[[Job], Any],
        *,
        title: str,
        lane: str = "device",
        also: Sequence[str] = (),
    ) -> Job:
        """Queue `function(job)`; while a job of that key is active, return that one.

        Args:
            also: keys of further work that the job does; where a job of such a key is active,
                that one stays the key's.
        """
        with self._lock:
            if self.is_going_on(key):
                return self._jobs[key]
            job = self._jobs[key] = Job(key, title)
            self._jobs.update({other: job for other in also if not self.is_going_on(other)})
            if lane not in self._lanes:
                self._lanes[lane] = ThreadPoolExecutor(1, thread_name_prefix=f"lane-{lane}")
            self._lanes[lane].submit(self._run, job, function)
            return job

    def get(self, key: str) -> Job | None:
        """The latest job of that key."""
        return self._jobs.get(key)

    def find(self, id: str) -> Job | None:
        """The job of that id, if it is the latest of its key."""
        return next((job for job in list(self._jobs.values()) if job.id == id), None)

    def active(self) -> list[Job]:
        """Jobs that are queued or running, oldest first."""
        jobs = {job.id: job for job in list(self._jobs.values())}
        return [job for job in jobs.values() if job.is_active]

    def is_going_on(self, key: str) -> bool:
        """Whether a job of that key is active and has not been asked to stop."""
        job = self._jobs.get(key)
        return job is not None and job.is_active and not job.should_stop()

    def _run(self, job: Job, function: Callable[[Job], Any]) -> None:
        job.started_s = time.time()
        if job.should_stop():
            job.state = "cancelled"
            return
        job.state = "running"
        try:
            job.result = function(job)
            job.state = "done"
        except Cancelled:
            job.state = "cancelled"
        except EsmcError as error:
            job.error, job.state = error, "failed"
        except Exception as error:  # the runner outlives whatever a job does
            logger.exception("The job %s failed", job.title)
            job.error = EsmcError(
                f"{job.title} failed: {type(error).__name__}: {error}",
                "What was finished is kept; start it again to go on.",
            )
            job.state = "failed"
        finally:
            job.finished_s = time.time()
