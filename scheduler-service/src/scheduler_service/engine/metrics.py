"""What operators watch."""

from prometheus_client import Histogram

LATENESS = Histogram(
    "scheduler_lateness_seconds",
    "Time from an occurrence's planned time to its execution",
    buckets=(0.01, 0.05, 0.1, 0.3, 1, 5, 30, 60, 300, 3600),
)
