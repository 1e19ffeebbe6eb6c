"""Receives a service's events and has each take effect once."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic

import structlog
from kombu.connection import Connection
from kombu.message import Message

from chassis.database import Database
from chassis.events import inbox, resend
from chassis.events.broker import Broker
from chassis.events.envelope import Event, InvalidEvent
from chassis.events.failures import is_outage, reason_of
from chassis.events.handlers import AfterCommit, Handlers
from chassis.events.metrics import CONSUMED, DEAD_LETTERS, DEAD_WAITING, REDELIVERED, WAITING

log = structlog.get_logger()

PREFETCH = 20
ATTEMPTS = 5
FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
WAIT_SECONDS = 0.5
KEEP_SECONDS = 10.0
STANDBY_SECONDS = 1.0
MEASURE_SECONDS = 5.0


@dataclass(eq=False)
class Delivery:
    """A message that the broker has given us and waits for."""

    message: Message
    position: int
    failures: int = 0
    due: float = field(default_factory=monotonic)

    @cached_property
    def event(self) -> Event:
        """Return what the message holds; raise :class:`InvalidEvent` when that is no event."""
        return Event.parse(self.message.body)

    @property
    def subject(self) -> tuple[str, str] | None:
        """Return what the event is about, ``None`` when nobody can tell."""
        try:
            return self.event.source, self.event.subject
        except InvalidEvent:
            return None


class Consumer:
    """Runs handlers on the deliveries of one service's queue, one at a time and in order.

    Of all consumers of a service one receives and the others stand by.
    An outage (ours, not the message's fault) stops the queue and is tried again for ever. A handler's error
    puts off its delivery and later ones of the same subject while others go on; after ``attempts`` tries it goes
    to the dead letters.
    """

    def __init__(
        self, database: Database, broker: Broker, service: str, handlers: Handlers, *, attempts: int = ATTEMPTS
    ) -> None:
        self._database = database
        self._broker = broker
        self._service = service
        self._handlers = handlers
        self._attempts = attempts
        self._held: list[Delivery] = []
        self._outages = 0
        self._resume = 0.0
        self._kept = 0.0
        self._measured = 0.0
        self._ask_again: list[float] = []

    def run(self, stop: threading.Event, ready: threading.Event) -> None:
        """Receive until ``stop``; raise when the broker is lost. ``ready``: broker and database are there."""
        self._held.clear()
        try:
            self._consume(stop, ready)
        finally:
            # What nobody measures any more is not shown as it was.
            for gauge in (WAITING, DEAD_WAITING):
                gauge.clear()

    def _consume(self, stop: threading.Event, ready: threading.Event) -> None:
        with self._broker.session() as connection:
            self._declare(connection)
            if not self._lead(connection, stop, ready):
                return
            # Never cancelled: what we did not get to stays before what comes later until the connection ends.
            self._broker.consumer(connection, self._service, PREFETCH, self._hold).consume()
            ready.set()
            while not stop.is_set():
                self._receive(connection)
                self._work(stop, ready)

    def _lead(self, connection: Connection, stop: threading.Event, ready: threading.Event) -> bool:
        while not self._broker.lead(connection, self._service):
            ready.set()
            if stop.wait(STANDBY_SECONDS):
                return False
        return True

    def _declare(self, connection: Connection) -> None:
        if self._broker.exists(connection, self._service):
            self._broker.declare(connection, self._service, self._handlers.types, self._handlers.retired)
            return
        with self._database.transaction() as tx:
            # Whoever hears this before the queue is there sends in vain, so it leaves afterwards.
            resend.ask(tx, self._service, self._handlers.types)
            self._broker.declare(connection, self._service, self._handlers.types, self._handlers.retired)
        self._ask_again = [monotonic() + seconds for seconds in resend.REPEATS_SECONDS]

    def _repeat_request(self, now: float) -> None:
        if self._ask_again and now > self._ask_again[0]:
            self._ask_again.pop(0)
            with self._database.transaction() as tx:
                resend.ask(tx, self._service, self._handlers.types)

    def _measure(self, connection: Connection) -> None:
        waiting, dead = self._broker.depths(connection, self._service)
        WAITING.labels(self._service).set(waiting)
        DEAD_WAITING.labels(self._service).set(dead)

    def _hold(self, message: Message) -> None:
        if self._broker.redelivered(message):
            REDELIVERED.inc()
        self._held.append(Delivery(message, self._broker.position(message)))

    def _receive(self, connection: Connection) -> None:
        now = monotonic()
        due = min((delivery.due for delivery in self._held), default=now + WAIT_SECONDS)
        wait = max(due, self._resume) - now
        with suppress(TimeoutError):
            connection.drain_events(timeout=min(max(wait, 0.001), WAIT_SECONDS))
        self._broker.beat(connection)
        if now > self._kept + KEEP_SECONDS:
            self._kept = now
            for delivery in self._held:
                self._broker.keep(delivery.message)
        if now > self._measured + MEASURE_SECONDS:
            self._measured = now
            self._measure(connection)
        self._repeat_request(now)

    def _work(self, stop: threading.Event, ready: threading.Event) -> None:
        now = monotonic()
        failing: dict[tuple[str, str] | None, float] = {}
        for delivery in sorted(self._held, key=lambda delivery: delivery.position):
            if stop.is_set() or now < self._resume:
                return
            # No earlier than what failed before it about the same subject.
            delivery.due = max(delivery.due, failing.get(delivery.subject, 0))
            if delivery.due <= now:
                self._attempt(delivery, ready)
            if delivery in self._held:
                failing[delivery.subject] = delivery.due

    def _attempt(self, delivery: Delivery, ready: threading.Event) -> None:
        type_ = "unknown"
        try:
            event = self._open(delivery)
            type_ = event.type
            result = self._take(event)
        except Exception as error:
            if is_outage(error):
                self._pause(type_, error)
                ready.clear()
            else:
                self._fail(delivery, type_, error)
            return
        self._outages = 0
        ready.set()
        self._done(delivery)
        CONSUMED.labels(type_, result).inc()

    def _open(self, delivery: Delivery) -> Event:
        if self._broker.exhausted(delivery.message):
            raise InvalidEvent("delivered too often without an answer")
        return delivery.event

    def _take(self, event: Event) -> str:
        handler = self._handlers.find(event.type)
        if handler is None:
            raise InvalidEvent(f"no handler for {event.type}")
        trace = {"traceparent": event.traceparent} if event.traceparent else {}
        with structlog.contextvars.bound_contextvars(event_id=str(event.id), event_type=event.type, **trace):
            with self._database.transaction() as tx:
                if not inbox.accept(tx, event):
                    return "duplicate"
                after = handler(tx, event)
            if after is not None:
                _run(after)
        return "handled"

    def _pause(self, type_: str, error: Exception) -> None:
        delay = min(FIRST_DELAY * 2**self._outages, LONGEST_DELAY)
        self._outages = min(self._outages + 1, 10)
        self._resume = monotonic() + delay
        CONSUMED.labels(type_, "postponed").inc()
        log.warning("event_postponed", type=type_, error=type(error).__name__, retry_in=delay)

    def _fail(self, delivery: Delivery, type_: str, error: Exception) -> None:
        delivery.failures += 1
        if isinstance(error, InvalidEvent) or delivery.failures >= self._attempts:
            self._broker.bury(delivery.message, self._service, reason_of(error))
            self._held.remove(delivery)
            CONSUMED.labels(type_, "dead").inc()
            DEAD_LETTERS.labels(type_).inc()
            log.error("event_dead", type=type_, failures=delivery.failures, exc_info=error)
            return
        delivery.due = monotonic() + FIRST_DELAY * 2 ** (delivery.failures - 1)
        CONSUMED.labels(type_, "failed").inc()
        log.warning("event_failed", type=type_, failures=delivery.failures, exc_info=error)

    def _done(self, delivery: Delivery) -> None:
        delivery.message.ack()
        self._held.remove(delivery)


def _run(after: AfterCommit) -> None:
    # The effect is committed: an error here must not bring the event back.
    try:
        after()
    except Exception:
        log.exception("after_commit_failed")
