"""The transfer worker: asks for elements, works on several at once, and stops without losing one."""

import itertools
import queue
import threading
import time
from collections import deque

import structlog

from workqueue_service.transfer import metrics
from workqueue_service.transfer.errors import TransferError
from workqueue_service.transfer.executor import Executor
from workqueue_service.transfer.monitor import Monitor
from workqueue_service.transfer.outcome import Outcome
from workqueue_service.transfer.rclone import Rclone
from workqueue_service.transfer.reporter import Reporter
from workqueue_service.transfer.service import Workqueue
from workqueue_service.transfer.sites import Sites
from workqueue_service.transfer.work import Bundle, Element, Job, Json

log = structlog.get_logger()

WAIT = 2.0
"""Seconds that a request for work stays open; also the longest that an idle worker takes to end."""
SMALL = 1024 * 1024
MOST_IN_BUNDLE = 64
MOST_ASKED = 500
AHEAD_SECONDS = 2.0
SHORTEST = 0.001
RETRY_SECONDS = 1.0
REPORT_SECONDS = 3.0
STOPPED = "the transfer worker was stopped"


class Pace:
    """How many elements a second were done of late: so much of work that is ahead is fetched, and no more."""

    def __init__(self, slots: int, window: float = 5.0) -> None:
        self._slots = slots
        self._window = window
        self._ends: deque[tuple[float, int, float]] = deque()
        self._lock = threading.Lock()

    def add(self, count: int, seconds: float) -> None:
        """Note that ``count`` elements were done by one slot in ``seconds``."""
        with self._lock:
            self._ends.append((time.monotonic(), count, max(seconds, SHORTEST)))

    def rate(self) -> float:
        """Return elements per second of all slots, by what came to an end in the window.

        When ends come makes no difference: slots that began together also end together.
        """
        oldest = time.monotonic() - self._window
        with self._lock:
            while self._ends and self._ends[0][0] < oldest:
                self._ends.popleft()
            seconds = sum(each[2] for each in self._ends)
            return self._slots * sum(each[1] for each in self._ends) / seconds if seconds else 0.0


class TransferWorker:
    """A component (:class:`chassis.worker.Component`) with ``slots`` bundles at work at a time."""

    def __init__(self, rclone: Rclone, sites: Sites, workqueue: Workqueue, slots: int, lease: float = 60.0) -> None:
        self._workqueue = workqueue
        self._slots = slots
        self._lease = lease
        self._reporter = Reporter(workqueue)
        self._executor = Executor(rclone, sites, workqueue.upload, self._done)
        self._monitor = Monitor(rclone, workqueue, self.in_hand, lease)
        self._pace = Pace(slots)
        self._waiting: queue.Queue[Bundle | None] = queue.Queue()
        self._in_hand: set[Bundle] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        metrics.ELEMENTS.set_function(lambda: sum(len(bundle.elements) for bundle in self.in_hand()))
        self.reached = True
        """Whether the workqueue answered the last request for work."""
        self._asker = threading.Thread(target=self._ask, name="asker", daemon=True)
        self._hands = [threading.Thread(target=self._work, name=f"slot-{n}", daemon=True) for n in range(slots)]

    def in_hand(self) -> list[Bundle]:
        """Return the bundles that are worked on or wait for it."""
        with self._changed:
            return list(self._in_hand)

    def start(self) -> None:
        """Begin to ask for work; returns at once."""
        self._reporter.start()
        self._monitor.start()
        for thread in (self._asker, *self._hands):
            thread.start()

    def stop(self, timeout: float) -> None:
        """Ask no more, finish what can be finished, report the rest as failed; within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._finish(deadline - REPORT_SECONDS)
        for bundle in self.in_hand():
            self._monitor.halt(bundle, STOPPED, forsaken=False)
        self._finish(deadline - REPORT_SECONDS / 2)
        for _ in self._hands:
            self._waiting.put(None)
        self._reporter.stop(max(0.1, deadline - time.monotonic()))
        self._monitor.stop(0.1)

    def _done(self, outcome: Outcome) -> None:
        metrics.count(outcome)
        self._reporter.add(outcome)

    def _finish(self, deadline: float) -> None:
        self._asker.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            self._changed.wait_for(lambda: not self._in_hand, max(0.0, deadline - time.monotonic()))

    def _ask(self) -> None:
        while not self._stopping.is_set():
            limit = self._room()
            if limit == 0:
                continue
            try:
                jobs = self._workqueue.ask(limit, WAIT, self._lease)
                self.reached = True
            except TransferError as error:
                self.reached = False
                log.warning("work_not_fetched", reason=error.message)
                self._stopping.wait(RETRY_SECONDS)
            else:
                self._take(jobs)

    def _room(self) -> int:
        """Return how many elements to ask for; waits a little when there is no room."""
        with self._changed:
            held = sum(len(bundle.elements) for bundle in self._in_hand)
            ahead = int(self._pace.rate() * AHEAD_SECONDS)
            free = max(self._slots - len(self._in_hand), ahead - held)
            if free <= 0 or (held and free < ahead // 2):
                self._changed.wait(0.2)
                return 0
            return min(free, MOST_ASKED)

    def _take(self, jobs: list[Json]) -> None:
        bundles = bundles_of(jobs, self._slots)
        with self._changed:
            self._in_hand.update(bundles)
        for bundle in bundles:
            self._waiting.put(bundle)

    def _work(self) -> None:
        while (bundle := self._waiting.get()) is not None:
            self._executor.run(bundle)
            self._pace.add(len(bundle.elements), bundle.elapsed)
            with self._changed:
                self._in_hand.discard(bundle)
                self._changed.notify_all()


def bundles_of(jobs: list[Json], slots: int) -> list[Bundle]:
    """Return a hand-out as bundles: small work of one job and kind together, but spread over the slots."""
    bundles: list[Bundle] = []
    for given in jobs:
        job = Job.of(given)
        elements = [Element.of(job, element) for element in given["elements"]]
        most = min(MOST_IN_BUNDLE, max(8, -(-len(elements) // slots)))
        for small, group in itertools.groupby(elements, key=_kind):
            some = list(group)
            step = most if small[0] else 1
            bundles += [Bundle(some[start : start + step]) for start in range(0, len(some), step)]
    return bundles


def _kind(element: Element) -> tuple[bool, int, bool]:
    quick = element.type.name in ("COPY", "REMOVE") and element.size <= SMALL
    return quick, element.type, element.is_file_copy
