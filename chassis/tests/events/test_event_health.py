"""What the outside can see of events: metrics, checks, documentation; and the parts that need no second service."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.events import EventLoop, broker_check
from chassis.events.broker import open_broker
from chassis.events.failures import is_outage, reason_of
from chassis.events.metrics import OutboxCollector
from chassis.events.pgmq_broker import ensure_pgmq
from chassis.testing import MakeDatabase, Server

NOWHERE = "postgresql://nobody:x@127.0.0.1:1/none"


def test_the_outbox_shows_in_the_metrics(make_database: MakeDatabase, tell: Any) -> None:
    database, registry = make_database(), CollectorRegistry()
    registry.register(OutboxCollector(database))
    assert registry.get_sample_value("outbox_depth") == 0
    tell(database)
    tell(database)
    database.execute("UPDATE outbox SET created_at = created_at - interval '1 minute'")
    assert registry.get_sample_value("outbox_depth") == 2
    assert 60 <= (registry.get_sample_value("outbox_oldest_seconds") or 0) < 70


def test_metrics_can_be_read_without_database() -> None:
    registry = CollectorRegistry()
    with Database(NOWHERE, name="nowhere", timeout=0.1) as database:
        registry.register(OutboxCollector(database))
        assert registry.get_sample_value("outbox_depth") is None
        assert broker_check(database)() == "the database does not answer"


def test_the_check_of_the_lag_says_since_when(make_database: MakeDatabase, tell: Any) -> None:
    database = make_database()
    tell(database)
    assert broker_check(database)() is None
    database.execute("UPDATE outbox SET created_at = created_at - interval '90 seconds'")
    assert broker_check(database)() == "events wait for the broker since 90 s"


def test_a_loop_without_database_and_broker_says_so_and_stops(eventually: Any) -> None:
    with Database(NOWHERE, name="nowhere", timeout=0.1) as database:
        loop = EventLoop(database, "amqp://nobody:x@127.0.0.1:1//", "auth", registry=CollectorRegistry())
        loop.start()
        assert loop.check() == "not connected: relay"
        loop.stop(5)
        assert not loop.healthy()


def test_pgmq_is_installed_once_whoever_comes_first(postgres_server: Server) -> None:
    dsn = postgres_server.create_database()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ensure_pgmq, [dsn, dsn.replace("postgresql", "pgmq", 1)] * 2))
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM pgmq.meta").fetchone() == (0,)


def test_a_broker_url_has_a_known_scheme() -> None:
    with pytest.raises(ValueError, match="amqp://"):
        open_broker("redis://localhost")


@pytest.mark.parametrize(
    ("error", "cause", "outage"),
    [
        (Unavailable("auth-service"), None, True),
        (Unavailable("database"), psycopg.OperationalError(), True),
        (Unavailable("database"), psycopg.InterfaceError(), True),
        (Unavailable("database"), psycopg.errors.DeadlockDetected(), True),
        (Unavailable("database"), psycopg.errors.QueryCanceled(), False),
        (Unavailable("database"), psycopg.errors.LockNotAvailable(), False),
        (psycopg.errors.AdminShutdown(), None, True),
        (psycopg.errors.UniqueViolation(), None, False),
        (ValueError("x"), None, False),
    ],
)
def test_an_outage_is_told_from_a_message_that_fails(error: Exception, cause: Exception | None, outage: bool) -> None:
    error.__cause__ = cause
    assert is_outage(error) is outage


def test_a_reason_is_short_and_without_credentials() -> None:
    assert reason_of(ValueError("no amqp://me:secret@host/")) == "ValueError: no amqp://host/"
    assert len(reason_of(ValueError("x" * 1000))) == 300
