"""A small house for event tests: two services, a broker of each kind, and a cable to cut between them."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

import os
import selectors
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import pytest
from prometheus_client import CollectorRegistry

from chassis.database import Database
from chassis.events import Event, EventLoop, Handlers, publish
from chassis.events.broker import Broker, open_broker
from chassis.events.dead_letters import DeadLetters
from chassis.events.pgmq_broker import ensure_pgmq
from chassis.testing import MakeDatabase, Server

RABBIT = "TASKYARD_TEST_AMQP_URL"
WORKER = {"worker_id": 7, "alias": "node", "paused": False, "created": 1_760_000_000}


def _eventually(condition: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits, not their number."""
    for name, seconds in {
        "consumer.FIRST_DELAY": 0.02,
        "consumer.LONGEST_DELAY": 0.2,
        "consumer.WAIT_SECONDS": 0.1,
        "relay.BEAT_SECONDS": 0.1,
        "relay.STANDBY_SECONDS": 0.1,
        "runner.FIRST_DELAY": 0.05,
        "runner.LONGEST_DELAY": 0.5,
    }.items():
        monkeypatch.setattr(f"chassis.events.{name}", seconds)


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Wait until a condition is true and return its value."""
    return _eventually


class Cable:
    """A TCP relay that can be cut and mended."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port or {"amqp": 5672}.get(parts.scheme, 5432))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        user, at, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))
        self.whole = True
        self._ends: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        self.whole = False
        _eventually(lambda: not self._ends)

    def mend(self) -> None:
        """Accept connections again."""
        self.whole = True

    def close(self) -> None:
        """Break everything for good."""
        self._closing.set()
        self._thread.join()
        self._listener.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            for key, _ in self._selector.select(timeout=0.02):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._ends:
                    self._pump(key.fileobj)
            if not self.whole:
                self._drop_all()
        self._drop_all()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if not self.whole:
            near.close()
            return
        far = socket.create_connection(self._target)
        self._ends |= {near: far, far: near}
        for end in (near, far):
            self._selector.register(end, selectors.EVENT_READ)

    def _pump(self, end: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = end.recv(65536)
            self._ends[end].sendall(data)
        if not data:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        for side in (end, self._ends.pop(end)):
            self._ends.pop(side, None)
            self._selector.unregister(side)
            side.close()

    def _drop_all(self) -> None:
        while self._ends:
            self._drop(next(iter(self._ends)))


@dataclass
class House:
    """A broker and what a test runs on it; everything is gone after the test."""

    url: str
    make_database: MakeDatabase
    exchange: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")
    stack: ExitStack = field(default_factory=ExitStack)
    services: set[str] = field(default_factory=set)

    @property
    def broker(self) -> Broker:
        return open_broker(self.url, self.exchange)

    def database(self) -> Database:
        """Make a service's database with a table that remembers effects."""
        database = self.make_database()
        database.execute(
            "CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, event uuid, subject text, data jsonb)"
        )
        return database

    def loop(
        self,
        database: Database,
        service: str,
        handlers: Handlers | None = None,
        *,
        url: str | None = None,
        wait: bool = True,
    ) -> EventLoop:
        """Start a service's event loop and wait until it is connected."""
        self.services.add(service)
        loop = EventLoop(
            database, url or self.url, service, handlers, exchange=self.exchange, registry=CollectorRegistry()
        )
        loop.start()
        self.stack.callback(loop.stop, 10)
        if wait:
            _eventually(loop.healthy)
        return loop

    def cable(self, url: str | None = None) -> Cable:
        """Lay a cable to the broker, or to the server at ``url``."""
        cable = Cable(url or self.url)
        self.stack.callback(cable.close)
        return cable

    def dead(self, service: str) -> DeadLetters:
        """Return the dead letters of a service."""
        return DeadLetters(self.broker, service)

    def delete_queues(self) -> None:
        """Delete all queues of this test behind everybody's back."""
        with self.broker.session() as connection:
            channel: Any = connection.default_channel
            for service in self.services:
                for name in (self.broker.queue_name(service), self.broker.dead_name(service)):
                    if self.url.startswith("amqp"):
                        channel.queue_delete(name)
                    else:
                        channel.pgmq.drop_queue(name.replace(".", "_"))

    def close(self) -> None:
        """Stop what runs and remove what it made."""
        self.stack.close()
        self.delete_queues()
        with self.broker.session() as connection:
            if self.url.startswith("amqp"):
                connection.default_channel.exchange_delete(self.exchange)


@pytest.fixture(scope="session")
def pgmq_url(postgres_server: Server) -> str:
    """A PGMQ broker in a database of its own."""
    dsn = postgres_server.create_database()
    ensure_pgmq(dsn)
    return dsn.replace("postgresql", "pgmq", 1)


@pytest.fixture(params=["pgmq", "rabbitmq"] if os.environ.get(RABBIT) else ["pgmq"])
def house(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[House]:
    """A house on each kind of broker."""
    url = request.getfixturevalue("pgmq_url") if request.param == "pgmq" else os.environ[RABBIT]
    house = House(url, make_database)
    try:
        yield house
    finally:
        house.close()


@pytest.fixture(scope="session")
def tell() -> Callable[..., uuid.UUID]:
    """Publish a worker event of one version in a transaction of its own."""

    def tell(
        database: Database, version: int = 1, subject: str = "worker/7", type_: str = "auth.worker.updated"
    ) -> uuid.UUID:
        with database.transaction() as tx:
            return publish(tx, type_, subject, WORKER | {"version": version})

    return tell


@pytest.fixture
def remember() -> Handlers:
    """Handlers that note every worker event in the table ``effect``."""
    handlers = Handlers()

    def note(tx: Any, event: Event) -> None:
        tx.execute(
            "INSERT INTO effect (event, subject, data) VALUES (%s, %s, %s::jsonb)",
            [event.id, event.subject, orjson.dumps(event.data).decode()],
        )

    for type_ in ("auth.worker.created", "auth.worker.updated"):
        handlers.on(type_)(note)
    return handlers


@pytest.fixture(scope="session")
def versions() -> Callable[[Database], list[int]]:
    """The versions of the events that had their effect, in the order of the effects."""

    def versions(database: Database) -> list[int]:
        return [
            row["version"] for row in database.all("SELECT (data->>'version')::int AS version FROM effect ORDER BY n")
        ]

    return versions
