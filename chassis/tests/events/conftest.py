"""A small house for event tests: two services, a broker of each kind, and a cable to cut between them."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from chassis.database import Database
from chassis.events import Event, EventLoop, Handlers, publish
from chassis.events.broker import Broker, open_broker
from chassis.events.dead_letters import DeadLetters
from chassis.events.pgmq_broker import ensure_pgmq
from chassis.testing import MakeDatabase, Server
from chassis.testing.cable import Cable
from chassis.testing.waiting import eventually as _eventually

RABBIT = "TASKYARD_TEST_AMQP_URL"
WORKER = {"worker_id": 7, "alias": "node", "paused": False, "created": 1_760_000_000}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits, not their number."""
    for name, seconds in {
        "consumer.FIRST_DELAY": 0.02,
        "consumer.LONGEST_DELAY": 0.2,
        "consumer.WAIT_SECONDS": 0.1,
        "consumer.STANDBY_SECONDS": 0.1,
        "consumer.MEASURE_SECONDS": 0.1,
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

    def refuse(self, service: str, times: int = 1) -> None:
        """Take the next delivery of a service and give it back."""
        taken: list[Any] = []
        with (
            self.broker.session() as connection,
            self.broker.consumer(connection, service, 1, taken.append),
        ):
            for _ in range(times):
                while not taken:
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=1)
                taken.pop().requeue()

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
