"""Runs a service's relay and consumer for as long as its worker process lives."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import structlog
from prometheus_client import REGISTRY, CollectorRegistry

from chassis.database import Database
from chassis.events import resend
from chassis.events.broker import EXCHANGE, open_broker
from chassis.events.consumer import Consumer
from chassis.events.handlers import Handlers
from chassis.events.metrics import OutboxCollector
from chassis.events.relay import Relay

log = structlog.get_logger()

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
# Who ran that long had recovered; the next failure is a new one.
RECOVERED_SECONDS = 30.0

Run = Callable[[threading.Event, threading.Event], None]


class Supervised:
    """A thread that runs something which raises when it loses its connections, again and again."""

    def __init__(self, name: str, run: Run) -> None:
        self.name = name
        self._run = run
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to finish."""
        self._stopping.set()

    def join(self, timeout: float) -> None:
        """Wait until the thread has finished."""
        self._thread.join(timeout)

    def healthy(self) -> bool:
        """Whether it runs and has its connections."""
        return self._thread.is_alive() and self._ready.is_set()

    def _supervise(self) -> None:
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            started = monotonic()
            try:
                self._run(self._stopping, self._ready)
            except Exception as error:
                delay = FIRST_DELAY if monotonic() - started > RECOVERED_SECONDS else min(delay * 2, LONGEST_DELAY)
                log.warning("events_interrupted", part=self.name, retry_in=round(delay, 1), exc_info=error)
            self._ready.clear()
            self._stopping.wait(delay * random.uniform(0.5, 1))  # noqa: S311 - spreads out reconnections


class EventLoop:
    """Sends a service's events and, when there are handlers, receives those of others."""

    def __init__(
        self,
        database: Database,
        amqp_url: str,
        service: str,
        handlers: Handlers | None = None,
        *,
        exchange: str = EXCHANGE,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        broker = open_broker(amqp_url, exchange)
        self._parts = [Supervised("relay", Relay(database, broker).run)]
        if handlers is not None and handlers.types:
            handlers = handlers.and_also(resend.QUEUE_CREATED, resend.send_again)
            self._parts.append(Supervised("consumer", Consumer(database, broker, service, handlers).run))
        self._collector = OutboxCollector(database)
        self._registry = registry

    def start(self) -> None:
        """Begin to send and receive; returns at once and connects in the background, for ever."""
        self._registry.register(self._collector)
        for part in self._parts:
            part.start()

    def stop(self, timeout: float) -> None:
        """Take nothing new and return when the running handler is done, after ``timeout`` seconds at the latest."""
        deadline = monotonic() + timeout
        for part in self._parts:
            part.stop()
        for part in self._parts:
            part.join(max(0.0, deadline - monotonic()))
        with suppress(KeyError):  # stopped before
            self._registry.unregister(self._collector)

    def healthy(self) -> bool:
        """Whether relay and consumer run and have database and broker."""
        return self.check() is None

    def check(self) -> str | None:
        """Name the parts that are not connected, ``None`` when all are (a :data:`chassis.health.Check`)."""
        away = [part.name for part in self._parts if not part.healthy()]
        return f"not connected: {', '.join(away)}" if away else None
