"""Requests that wait until a task may be there for them, without asking the database meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice

from chassis.listen import Listener

READY = "tasks_ready"
"""The channel on which the database tells of tasks that became claimable; the payload is "project count"."""

ANY = 0
"""The project number of those who take a task of any project."""


class Waiter:
    """One waiting request."""

    def __init__(self, project: int) -> None:
        self.project = project
        self.called = threading.Event()

    def sleep(self, seconds: float) -> bool:
        """Return whether it was called within ``seconds``; the call is used up then."""
        called = self.called.wait(seconds)
        self.called.clear()
        return called


class Waiters:
    """Calls as many waiters as there are tasks, those first that have waited longest.

    A call is never lost: who leaves with a call not used up hands it on, and who finds that the task is not for
    him (he has verified it before) calls the next one behind him.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, dict[Waiter, None]] = {}
        self.closed = False

    def close(self) -> None:
        """Call everyone for the last time: the process ends, and an empty answer is better than none."""
        self.closed = True
        self.call_all()

    def attach(self, listener: Listener) -> None:
        """Hear the database through ``listener``, which must not run yet."""
        listener.on(READY, self.hear, missed=self.call_all)

    def hear(self, payload: str) -> None:
        """Take a notification of the database."""
        project, count = map(int, payload.split())
        self.call(project, count)

    def call(self, project: int, count: int) -> None:
        """Call up to ``count`` of those who wait for the project, and of those who take any."""
        with self._lock:
            everyone = chain.from_iterable(self._waiting.values())
            wanted = everyone if project == ANY else chain(self._queue(project), self._queue(ANY))
            _call(wanted, count)

    def call_all(self) -> None:
        """Call everyone: notifications may have been missed."""
        with self._lock:
            _call(chain.from_iterable(self._waiting.values()), None)

    def call_behind(self, waiter: Waiter) -> None:
        """Call the one who came next after ``waiter``."""
        with self._lock:
            behind = iter(self._queue(waiter.project))
            for other in behind:
                if other is waiter:
                    break
            _call(behind if waiter.project == ANY else chain(behind, self._queue(ANY)), 1)

    @contextmanager
    def waiting(self, project: int) -> Iterator[Waiter]:
        """Stand in the queue of a project while the block runs."""
        waiter = Waiter(project)
        with self._lock:
            self._waiting.setdefault(project, {})[waiter] = None
        try:
            yield waiter
        finally:
            with self._lock:
                queue = self._waiting[project]
                del queue[waiter]
                if not queue:
                    del self._waiting[project]
            if waiter.called.is_set():
                self.call(project, 1)

    def _queue(self, project: int) -> dict[Waiter, None]:
        return self._waiting.get(project, {})


def _call(waiters: Iterator[Waiter], count: int | None) -> None:
    uncalled = (waiter for waiter in waiters if not waiter.called.is_set())
    for waiter in islice(uncalled, count):
        waiter.called.set()
