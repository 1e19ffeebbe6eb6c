"""Prometheus metrics of a process, and the ``/metrics`` page."""

import os
from functools import lru_cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers of an API add up their metrics; set by :mod:`chassis.cli`, before prometheus_client reads it."""
# A client may invent methods, but not series.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter("http_requests", "Answered requests", ["method", "route", "status"])
SECONDS = Histogram(
    "http_request_seconds",
    "Time from the request's arrival in the service to its answer",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)


@lru_cache(maxsize=4096)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    # Looking up a series by its labels costs more than counting.
    return REQUESTS.labels(method, route, status), SECONDS.labels(route)


def count(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    requests, duration = _series(method if method in METHODS else "other", route, status)
    requests.inc()
    duration.observe(seconds)


def page() -> tuple[bytes, dict[str, str]]:
    """Return the metrics of this process, or of all workers of this service when there are several."""
    registry: CollectorRegistry = REGISTRY
    if METRICS_DIRECTORY in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), {"Content-Type": CONTENT_TYPE_LATEST}
