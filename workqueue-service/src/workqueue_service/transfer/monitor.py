"""Watches the bundles in hand: signs of life and progress to the workqueue, time-outs, cancellation."""

import threading
import time
from collections.abc import Callable, Collection

import structlog

from workqueue_service.transfer.errors import TransferError
from workqueue_service.transfer.rclone import Rclone
from workqueue_service.transfer.service import Workqueue
from workqueue_service.transfer.work import Bundle, Json

log = structlog.get_logger()

INTERVAL = 1.0
SIGNS_PER_LEASE = 6
FORSAKEN = "the job was cancelled, or the lease has ended"


class Monitor:
    """One look a second at everything in hand."""

    def __init__(
        self, rclone: Rclone, workqueue: Workqueue, bundles: Callable[[], Collection[Bundle]], lease: float
    ) -> None:
        self._rclone = rclone
        self._workqueue = workqueue
        self._bundles = bundles
        self._sign_every = lease / SIGNS_PER_LEASE
        self._last: dict[Bundle, tuple[float, int]] = {}
        self._next_sign = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End."""
        self._stopping.set()
        self._thread.join(timeout)

    def halt(self, bundle: Bundle, reason: str, *, forsaken: bool) -> None:
        """Stop a bundle, and what rclone does for it."""
        if bundle.stop(reason, forsaken=forsaken):
            log.info("bundle_stopped", job=bundle.elements[0].job.id, elements=len(bundle.elements), reason=reason)
            try:
                self._rclone.rc().call("job/stopgroup", {"group": bundle.group})
            except TransferError:
                # Nothing of the group runs in rclone; the bundle sees for itself that it is stopped.
                return

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL):
            try:
                self.look()
            except TransferError as error:
                log.warning("signs_of_life_not_sent", reason=error.message)
            except Exception:
                log.exception("monitor_failed")

    def look(self) -> None:
        """Stop what has taken too long, report everything else, stop what nobody wants any more."""
        bundles = list(self._bundles())
        for bundle in bundles:
            if bundle.late:
                self.halt(bundle, f"it took longer than {bundle.seconds:.0f} s", forsaken=False)
        self._last = {bundle: seen for bundle, seen in self._last.items() if bundle in set(bundles)}
        self._report([bundle for bundle in bundles if not bundle.forsaken])

    def _report(self, bundles: list[Bundle]) -> None:
        signs = time.monotonic() >= self._next_sign
        if signs:
            self._next_sign = time.monotonic() + self._sign_every
        told = [bundle for bundle in bundles if signs or (bundle.running and bundle.elapsed >= INTERVAL)]
        reports = [report for bundle in told for report in self._progress(bundle)]
        owners = [bundle for bundle in told for _ in bundle.elements]
        for start in range(0, len(reports), 1000):
            results = self._workqueue.monitor(reports[start : start + 1000])
            for owner, result in zip(owners[start : start + 1000], results, strict=True):
                if result.get("cancel") or result.get("status", 200) in (403, 404):
                    self.halt(owner, FORSAKEN, forsaken=True)

    def _progress(self, bundle: Bundle) -> list[Json]:
        """Return a report for each element; of several small files together only that they are alive."""
        if len(bundle.elements) > 1 or not bundle.running:
            return [element.reference() for element in bundle.elements]
        transferred, elapsed = self._transferred(bundle), bundle.elapsed
        before, had = self._last.get(bundle, (0.0, 0))
        self._last[bundle] = (elapsed, transferred)
        numbers = {
            "transferred": transferred,
            "elapsed": round(elapsed, 3),
            "instant": max(0, round((transferred - had) / max(elapsed - before, 0.001))),
            "average": round(transferred / max(elapsed, 0.001)),
        }
        return [bundle.elements[0].reference() | numbers]

    def _transferred(self, bundle: Bundle) -> int:
        if not bundle.elements[0].is_file_copy:
            return 0
        try:
            stats = self._rclone.rc().call("core/stats", {"group": bundle.group})
        except TransferError:
            return 0
        return min(int(stats.get("bytes", 0)), bundle.elements[0].size or int(stats.get("bytes", 0)))
