"""Requests that wait at the same moment share one statement."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import psycopg
import structlog

from chassis.errors import ApiError, Unavailable

log = structlog.get_logger()

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Entry(Generic[Item, Result]):
    """One request in the queue; ``turn`` opens when it has its result or becomes the leader."""

    __slots__ = ("error", "item", "result", "settled", "turn")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.settled = False
        self.result: Result | None = None
        self.error: Exception | None = None
        self.turn = threading.Lock()
        self.turn.acquire()


class Coalescer(Generic[Item, Result]):
    """Gives what piles up while one batch runs to the next batch; nobody waits for company.

    The caller that finds nobody at work leads: it runs a batch of everything that waits, hands the results out and
    passes the lead on to the first of those who came meanwhile. Works for threads and for greenlets.
    ``run`` returns one result for each item, in order, and changes nothing when it raises.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Result]], *, largest: int = 64) -> None:
        self._run = run
        self._largest = largest
        self._lock = threading.Lock()
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._led = False

    def __call__(self, item: Item) -> Result:
        """Return the result of one item, or raise what its batch raised."""
        entry: _Entry[Item, Result] = _Entry(item)
        with self._lock:
            self._waiting.append(entry)
            leads = not self._led
            self._led = True
        if not leads:
            entry.turn.acquire()
        if not entry.settled:
            self._lead()
        if entry.error is not None:
            raise entry.error
        return entry.result  # type: ignore[return-value]

    def _lead(self) -> None:
        """Run one batch, with the caller's own item in it as the oldest, then pass the lead on."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(self._largest, len(self._waiting)))]
        try:
            self._settle(batch)
        finally:
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                self._led = heir is not None
            if heir is not None:
                heir.turn.release()
            for entry in batch[1:]:
                entry.turn.release()

    def _settle(self, batch: Sequence[_Entry[Item, Result]]) -> None:
        try:
            results = self._attempt([entry.item for entry in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, ApiError):
                log.warning("batch_taken_apart", size=len(batch), error=type(error).__name__)
                for entry in batch:
                    self._settle([entry])
                return
            for entry in batch:
                entry.error, entry.settled = error, True
        else:
            for entry, result in zip(batch, results, strict=True):
                entry.result, entry.settled = result, True

    def _attempt(self, items: Sequence[Item]) -> Sequence[Result]:
        try:
            return self._run(items)
        except Unavailable as error:
            # Two processes wanted the same rows in another order; PostgreSQL has undone this one.
            if isinstance(error.__cause__, psycopg.errors.DeadlockDetected):
                return self._run(items)
            raise
