"""What happens to events, counted."""

from collections.abc import Iterator

from prometheus_client import Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.events.health import backlog, unanswered

PUBLISHED = Counter("events_published", "Events that the broker has confirmed", ["type"])
CONSUMED = Counter("events_consumed", "Deliveries, by what became of them", ["type", "result"])
DEAD_LETTERS = Counter("dead_letters", "Deliveries that were put aside as dead letters", ["type"])
REDELIVERED = Counter("events_redelivered", "Deliveries that were attempted before")
WAITING = Gauge("events_waiting", "Deliveries that wait in the service's queue; absent without broker", ["queue"])
DEAD_WAITING = Gauge("dead_letters_waiting", "Dead letters that nobody has looked after", ["queue"])


class OutboxCollector(Collector):
    """Looks at the outbox whenever the metrics are read; shows nothing while the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without a look at the database."""
        yield GaugeMetricFamily("outbox_depth", "Events that wait for the broker")
        yield GaugeMetricFamily("outbox_oldest_seconds", "Age of the oldest event that waits for the broker")
        yield GaugeMetricFamily("commands_unanswered", "Commands that were sent and that nobody has answered yet")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the numbers."""
        try:
            values = (*backlog(self._database), unanswered(self._database))
        except Unavailable:
            return
        for family, value in zip(self.describe(), values, strict=True):
            family.add_metric([], value)
            yield family
