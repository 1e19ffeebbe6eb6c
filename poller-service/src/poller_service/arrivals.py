"""Lets requests wait until a job becomes new (spec: poller 4, long poll)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.listen import Listener
from poller_service.jobs import NEW_JOB


class Arrivals:
    """Who waits, for whose jobs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[threading.Event, str | None] = {}
        self.closed = False

    def listen(self, listener: Listener) -> None:
        """Hear from ``listener`` of jobs that any process made new."""
        listener.on(NEW_JOB, self.ring, missed=lambda: self.ring(""))

    def ring(self, user: str) -> None:
        """Wake those who wait for a job of ``user``; empty: everybody."""
        with self._lock:
            waiting = list(self._waiting.items())
        for bell, wanted in waiting:
            if not user or wanted is None or wanted == user:
                bell.set()

    def close(self) -> None:
        """Wake everybody for good: the process ends."""
        self.closed = True
        self.ring("")

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @contextmanager
    def waiting(self, user: str | None) -> Iterator[threading.Event]:
        """Give a bell that rings when a job of ``user``, or of anybody, may have become new."""
        bell = threading.Event()
        with self._lock:
            self._waiting[bell] = user
        try:
            yield bell
        finally:
            with self._lock:
                del self._waiting[bell]
