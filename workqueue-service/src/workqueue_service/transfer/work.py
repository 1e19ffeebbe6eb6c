"""What the workqueue hands out: jobs, their sites, and elements to be done (the service's README)."""

import itertools
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workqueue_service.enums import JobProtocol, JobType
from workqueue_service.transfer.errors import Stopped

Json = dict[str, Any]

SECONDS = {JobType.COPY: 3600.0}
OTHER_SECONDS = 120.0
SLOWEST = 1_000_000
"""Bytes per second below which a copy counts as stuck."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Site:
    """A site as it is needed for one hand-out. ``repr`` shows no credential."""

    id: int
    url: str
    home: str | None
    credentials: Mapping[str, Any] = field(repr=False)
    bandwidth: int | None
    """Bytes per second of one transfer."""

    @classmethod
    def of(cls, given: Json) -> "Site":
        """Return the site of a hand-out, behind any of its endpoints: they are all alike.

        The bandwidth of a site is shared by as many transfers as it allows.
        """
        bandwidth = given.get("bandwidth")
        share = max(1, bandwidth // (given.get("max_transfers") or 1)) if bandwidth else None
        url = secrets.choice(given["endpoints"])
        return cls(given["id"], url, given.get("home"), given.get("credentials") or {}, share)


@dataclass(frozen=True)
class Job:
    """The part of a job that its elements share."""

    id: int
    type: JobType
    options: Mapping[str, Any]
    src_site: Site | None
    dst_site: Site | None
    src_filepath: str

    @classmethod
    def of(cls, given: Json) -> "Job":
        """Return the job of a hand-out; a job that touches no site (DUMMY) has none."""
        dummy = given["protocol"] == JobProtocol.DUMMY or not given.get("src_site")
        destination = None if dummy else given.get("dst_site")
        return cls(
            given["id"],
            JobType(given["type"]),
            given.get("options") or {},
            None if dummy else Site.of(given["src_site"]),
            Site.of(destination) if destination else None,
            given["src_filepath"],
        )


@dataclass(frozen=True)
class Element:
    """One thing to do. A path that ends in a slash is a directory."""

    job: Job
    id: int
    type: JobType
    src_filepath: str
    dst_filepath: str
    size: int
    max_tries: int
    number: int
    """Of this attempt, from 1."""
    token: str = field(repr=False)

    @classmethod
    def of(cls, job: Job, given: Json) -> "Element":
        """Return an element of a hand-out."""
        return cls(
            job,
            given["id"],
            JobType(given["type"]),
            given["src_filepath"],
            given.get("dst_filepath") or "",
            given["size"],
            given["max_tries"],
            given["attempts"] + 1,
            given["token"],
        )

    @property
    def is_file_copy(self) -> bool:
        """Whether there are data to move."""
        return self.type is JobType.COPY and not self.src_filepath.endswith("/")

    def seconds(self) -> float:
        """Return how long an attempt may take (spec: workqueue 6.8, 6)."""
        if timeout := self.job.options.get("timeout"):
            return float(timeout)
        return SECONDS.get(self.type, OTHER_SECONDS) + self.size / SLOWEST

    def reference(self) -> Json:
        """Return what names the element, and proves that it was handed out, in calls to the service."""
        return {"job_id": self.job.id, "element_id": self.id, "token": self.token}


class Bundle:
    """Elements of one job that are worked on together: one of any size, or several small ones of one type."""

    def __init__(self, elements: list[Element]) -> None:
        self.elements = elements
        self.group = f"bundle-{next(_numbers)}"
        self.started: float | None = None
        self.stopped: str | None = None
        """Why the bundle was stopped, in words for the user."""
        self.forsaken = False
        """Whether nobody wants to hear of it any more: the job was cancelled, or the lease has ended."""
        self._ended = False
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return max(element.seconds() for element in self.elements)

    @property
    def elapsed(self) -> float:
        """Seconds since the start, 0 before it."""
        return time.monotonic() - self.started if self.started is not None else 0.0

    @property
    def running(self) -> bool:
        """Whether the work has begun and not ended."""
        return self.started is not None and not self._ended

    @property
    def late(self) -> bool:
        """Whether it has taken too long."""
        return self.elapsed > self.seconds

    def start(self) -> None:
        """Begin to measure."""
        self.started = time.monotonic()

    def end(self) -> None:
        """Say that nothing of it is worked on any more; the outcomes are on their way."""
        self._ended = True

    def check(self) -> None:
        """Raise :class:`Stopped` when the bundle was stopped."""
        if self.stopped is not None:
            raise Stopped(self.stopped)

    def stop(self, reason: str, *, forsaken: bool) -> bool:
        """Mark the bundle as stopped; false when it was already."""
        with self._lock:
            if self.stopped is not None:
                return False
            self.stopped, self.forsaken = reason, forsaken
            return True
