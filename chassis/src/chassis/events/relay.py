"""Moves events from the outbox to the broker."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
import structlog
from kombu.connection import Connection
from kombu.messaging import Producer
from psycopg.rows import DictRow, dict_row

from chassis.database import Database
from chassis.events.broker import Broker
from chassis.events.metrics import PUBLISHED
from chassis.events.resend import kept_types
from chassis.queries import Queries

log = structlog.get_logger()
sql = Queries.beside(__file__)

BATCH = 200
POLL_SECONDS = 5.0
STANDBY_SECONDS = 1.0
BEAT_SECONDS = 0.5

Session = psycopg.Connection[DictRow]


class Relay:
    """Sends the events of one service, in the order in which they were written.

    Of all relays on one database one sends and the others stand by: it holds an advisory lock in the session
    through which it also reads and deletes, so who has lost the lock can do neither. A row leaves the outbox when
    the broker has confirmed it; a crash in between sends it twice, which the receivers' inboxes notice.
    """

    def __init__(self, database: Database, broker: Broker, *, batch: int = BATCH, poll: float = POLL_SECONDS) -> None:
        self._dsn = database.dsn
        self._broker = broker
        self._batch = batch
        self._poll = poll
        self._kept = kept_types()

    def run(self, stop: threading.Event, ready: threading.Event) -> None:
        """Send until ``stop``; raise when the database or the broker is lost. ``ready``: both are there."""
        with self._session() as session:
            if not self._lead(session, stop, ready):
                return
            session.execute("LISTEN outbox")
            with self._broker.session() as connection:
                producer = self._broker.producer(connection)
                ready.set()
                while not stop.is_set():
                    if self._send_batch(session, producer) < self._batch:
                        self._wait(session, connection, stop)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with psycopg.connect(
            self._dsn,
            autocommit=True,
            row_factory=dict_row,
            application_name="taskyard-relay",
            connect_timeout=5,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            options="-c statement_timeout=30000 -c lock_timeout=5000",
        ) as session:
            yield session

    def _lead(self, session: Session, stop: threading.Event, ready: threading.Event) -> bool:
        while not session.execute(sql.lead_relay).fetchone()["leads"]:  # type: ignore[index]
            ready.set()
            if stop.wait(STANDBY_SECONDS):
                return False
        log.info("relay_leads")
        return True

    def _send_batch(self, session: Session, producer: Producer) -> int:
        rows = session.execute(sql.oldest_events, {"limit": self._batch}).fetchall()
        sent: list[int] = []
        try:
            for row in rows:
                self._broker.send(producer, row["type"], row["envelope"])
                sent.append(row["id"])
                PUBLISHED.labels(row["type"]).inc()
        finally:
            if sent:
                session.execute(sql.forget_sent, {"ids": sent, "kept": self._kept})
        return len(rows)

    def _wait(self, session: Session, connection: Connection, stop: threading.Event) -> None:
        deadline = monotonic() + self._poll
        while not stop.is_set() and monotonic() < deadline:
            if list(session.notifies(timeout=BEAT_SECONDS, stop_after=1)):
                return
            self._broker.beat(connection)
