"""Reports the ends of attempts, many in one call, until the workqueue has taken or refused each of them."""

import queue
import socket
import threading
from datetime import UTC, datetime

import structlog

from workqueue_service.enums import JobType
from workqueue_service.transfer.errors import PermanentError, TransferError
from workqueue_service.transfer.outcome import Outcome
from workqueue_service.transfer.service import Refused, Workqueue
from workqueue_service.transfer.work import Json

log = structlog.get_logger()

MOST_REPORTS = 200
MOST_ENTRIES = 10_000
RETRY_SECONDS = 0.5
MOST_RETRY_SECONDS = 10.0
WORTH_A_LAST_PROGRESS = 1.0
"""Seconds of an attempt from which its progress was shown, and has to be brought to its end."""


class Reporter:
    """Keeps what is not reported yet in memory, for as long as it takes."""

    def __init__(self, workqueue: Workqueue) -> None:
        self._workqueue = workqueue
        self._outcomes: queue.Queue[Outcome] = queue.Queue()
        self._ending = threading.Event()
        self._given_up = threading.Event()
        self._host = socket.gethostname()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Report what is left, for at most ``timeout`` seconds."""
        self._ending.set()
        self._thread.join(timeout)
        self._given_up.set()

    def add(self, outcome: Outcome) -> None:
        """Take an outcome."""
        self._outcomes.put(outcome)

    def _run(self) -> None:
        while True:
            try:
                first = self._outcomes.get(timeout=0.1)
            except queue.Empty:
                if self._ending.is_set():
                    return
            else:
                self._deliver(self._gathered(first))

    def _gathered(self, first: Outcome) -> list[Outcome]:
        outcomes, entries = [first], _weight(first)
        while len(outcomes) < MOST_REPORTS and entries < MOST_ENTRIES:
            try:
                outcomes.append(self._outcomes.get_nowait())
            except queue.Empty:
                break
            entries += _weight(outcomes[-1])
        return outcomes

    def _deliver(self, outcomes: list[Outcome]) -> None:
        delay = RETRY_SECONDS
        while not self._given_up.is_set():
            try:
                results = self._send(outcomes)
            except TransferError as error:
                log.warning("reports_postponed", reports=len(outcomes), reason=error.message, seconds=delay)
                self._given_up.wait(delay)
                delay = min(delay * 2, MOST_RETRY_SECONDS)
            else:
                for outcome, result in zip(outcomes, results, strict=True):
                    self._settle(outcome, result)
                return

    def _send(self, outcomes: list[Outcome]) -> list[Json]:
        """Return a result for each outcome; if one of them spoils the whole call, send them one by one."""
        self._finish_progress(outcomes)
        try:
            return self._workqueue.report([self._report(outcome) for outcome in outcomes])
        except Refused as error:
            if error.status != 400:
                raise
            if len(outcomes) == 1:
                return [{"status": 400, "message": error.message}]
            return [result for outcome in outcomes for result in self._send([outcome])]

    def _finish_progress(self, outcomes: list[Outcome]) -> None:
        """Show files that took a while as whole before they are reported done (spec: workqueue 6.8, 4)."""
        progress = [_whole(outcome) for outcome in outcomes if _deserves_last_progress(outcome)]
        if progress:
            self._workqueue.monitor(progress)

    def _report(self, outcome: Outcome) -> Json:
        report = outcome.element.reference() | {
            "returncode": 0 if outcome.error is None else 1,
            "host": self._host,
            "log": outcome.log,
            "timestamp": datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
            "attempt": outcome.element.number,
        }
        if outcome.error is not None:
            return report | {"permanent": outcome.error.permanent}
        if outcome.element.type is JobType.LIST:
            return report | {"listing": "uploaded" if outcome.uploaded else outcome.listing or {}}
        return report

    def _settle(self, outcome: Outcome, result: Json) -> None:
        status, reason = result["status"], str(result.get("message", ""))
        if status == 200:
            return
        names = {"job": outcome.element.job.id, "element": outcome.element.id}
        log.warning("report_refused", **names, status=status, reason=reason)
        if status == 400 and outcome.element.type is JobType.LIST and outcome.error is None:
            # The listing was not to the workqueue's liking: that is how the attempt ends, and the user learns why.
            line = f"{outcome.log}the workqueue refused the listing: {reason}\n"
            self.add(Outcome(outcome.element, line, PermanentError(reason)))


def _weight(outcome: Outcome) -> int:
    return sum(len(entries) for entries in (outcome.listing or {}).values())


def _deserves_last_progress(outcome: Outcome) -> bool:
    return outcome.error is None and outcome.element.is_file_copy and outcome.seconds >= WORTH_A_LAST_PROGRESS


def _whole(outcome: Outcome) -> Json:
    size, seconds = outcome.element.size, outcome.seconds
    return outcome.element.reference() | {
        "transferred": size,
        "elapsed": round(seconds, 3),
        "instant": 0,
        "average": round(size / seconds),
    }
