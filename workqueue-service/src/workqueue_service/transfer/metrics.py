"""What the transfer worker counts."""

from prometheus_client import Counter, Gauge

from workqueue_service.transfer.outcome import Outcome

ATTEMPTS = Counter("transfer_attempts", "Attempts that ended", ["type", "result"])
BYTES = Counter("transfer_bytes", "Bytes of files that were copied whole")
SECONDS = Counter("transfer_seconds", "Seconds that attempts took", ["type"])
ELEMENTS = Gauge("transfer_elements", "Elements that are worked on or wait for it")


def count(outcome: Outcome) -> None:
    """Count one attempt."""
    kind = outcome.element.type.name
    result = "done" if outcome.error is None else "permanent" if outcome.error.permanent else "temporary"
    ATTEMPTS.labels(kind, result).inc()
    SECONDS.labels(kind).inc(outcome.seconds)
    if outcome.error is None and outcome.element.is_file_copy:
        BYTES.inc(outcome.element.size)
