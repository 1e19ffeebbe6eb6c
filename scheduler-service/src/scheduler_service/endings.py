"""Lets requests wait until an execution has ended (spec: scheduler 5.1.1, sync)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.listen import Listener

ENDED = "scheduler_ended"
"""The channel on which API processes hear the id of an execution that has ended."""


class Endings:
    """Who waits, for which execution."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[threading.Event, str] = {}
        self.closed = False

    def listen(self, listener: Listener) -> None:
        """Hear from ``listener`` of executions that any process has ended."""
        listener.on(ENDED, self.ring, missed=self.ring_all)

    def ring(self, execution_id: str) -> None:
        """Wake those who wait for this execution."""
        with self._lock:
            bells = [bell for bell, wanted in self._waiting.items() if wanted == execution_id]
        for bell in bells:
            bell.set()

    def ring_all(self) -> None:
        """Wake everybody: something may have been missed."""
        with self._lock:
            bells = list(self._waiting)
        for bell in bells:
            bell.set()

    def close(self) -> None:
        """Wake everybody for good: the process ends."""
        self.closed = True
        self.ring_all()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @contextmanager
    def waiting(self, execution_id: str) -> Iterator[threading.Event]:
        """Give a bell that rings when this execution may have ended."""
        bell = threading.Event()
        with self._lock:
            self._waiting[bell] = execution_id
        try:
            yield bell
        finally:
            with self._lock:
                del self._waiting[bell]
