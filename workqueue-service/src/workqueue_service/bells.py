"""Wakes requests that wait: for work, or for a job to move."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.listen import Listener

READY = "workqueue_ready"
JOB = "workqueue_job"


class Bells:
    """Bells by name; whoever waits has one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[threading.Event]] = defaultdict(set)
        self.closed = False

    def listen(self, listener: Listener) -> None:
        """Hear of work and of jobs from every process of the service; after a gap wake everybody."""
        listener.on(READY, lambda _: self.ring(READY), missed=self.ring_all)
        listener.on(JOB, lambda job_id: self.ring(job_bell(int(job_id))), missed=self.ring_all)

    def ring(self, name: str) -> None:
        """Wake those who wait for ``name``."""
        with self._lock:
            bells = list(self._waiting.get(name, ()))
        for bell in bells:
            bell.set()

    def ring_all(self) -> None:
        """Wake everybody."""
        for name in list(self._waiting):
            self.ring(name)

    def close(self) -> None:
        """Wake everybody for good: the process ends."""
        self.closed = True
        self.ring_all()

    @contextmanager
    def waiting(self, name: str) -> Iterator[threading.Event]:
        """Give a bell that rings for ``name``."""
        bell = threading.Event()
        with self._lock:
            self._waiting[name].add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._waiting[name].discard(bell)
                if not self._waiting[name]:
                    del self._waiting[name]


def job_bell(job_id: int) -> str:
    """Return the name of a job's bell."""
    return f"{JOB}/{job_id}"
