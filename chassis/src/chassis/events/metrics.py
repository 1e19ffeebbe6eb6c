"""What happens to events, counted."""

from collections.abc import Iterator

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.events.health import backlog

PUBLISHED = Counter("events_published", "Events that the broker has confirmed", ["type"])
CONSUMED = Counter("events_consumed", "Deliveries, by what became of them", ["type", "result"])
DEAD_LETTERS = Counter("dead_letters", "Deliveries that were put aside as dead letters", ["type"])


class OutboxCollector(Collector):
    """Looks at the outbox whenever the metrics are read; shows nothing while the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without a look at the database."""
        yield GaugeMetricFamily("outbox_depth", "Events that wait for the broker")
        yield GaugeMetricFamily("outbox_oldest_seconds", "Age of the oldest event that waits for the broker")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read depth and age."""
        try:
            depth, seconds = backlog(self._database)
        except Unavailable:
            return
        for family, value in zip(self.describe(), (depth, seconds), strict=True):
            family.add_metric([], value)
            yield family
