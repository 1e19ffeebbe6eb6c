"""The listener: notifications, and what happens when its connection breaks."""

import threading
import time
from collections.abc import Callable, Iterator
from queue import Queue

import psycopg
import pytest

from chassis.database import Database
from chassis.listen import Listener
from chassis.testing import MakeDatabase

SECONDS = 15.0


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    """A database of the test's own."""
    return make_database()


@pytest.fixture
def listen(database: Database) -> Iterator[Callable[..., Listener]]:
    """Start a listener that is stopped when the test ends."""
    started: list[Listener] = []

    def make(channels: dict[str, Callable[[str], None]], missed: Callable[[], None] = lambda: None) -> Listener:
        listener = Listener(database.dsn, "test-listener")
        for channel, handler in channels.items():
            listener.on(channel, handler, missed=missed)
        listener.start()
        started.append(listener)
        assert listener.wait_until_listening(SECONDS)
        return listener

    yield make
    for listener in started:
        listener.stop(SECONDS)


def cut(database: Database) -> None:
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'taskyard-test-listener'"
        " AND datname = current_database()"
    )


def test_each_channel_has_its_handler(database: Database, listen: Callable[..., Listener]) -> None:
    """Payloads come in order, when the transaction has committed."""
    heard: Queue[tuple[str, str]] = Queue()
    listen({"one": lambda payload: heard.put(("one", payload)), "Two": lambda payload: heard.put(("Two", payload))})
    with database.transaction() as tx:
        tx.execute("SELECT pg_notify('one', '1')")
        tx.execute("SELECT pg_notify('Two', '2')")
        assert heard.empty()
    assert [heard.get(timeout=SECONDS) for _ in range(2)] == [("one", "1"), ("Two", "2")]


def test_connects_again_and_says_that_something_may_be_missed(
    database: Database, listen: Callable[..., Listener]
) -> None:
    """Once at the start, once after the break, before the next notification."""
    heard: Queue[str] = Queue()
    listen({"one": heard.put}, missed=lambda: heard.put("missed"))
    assert heard.get(timeout=SECONDS) == "missed"
    cut(database)
    assert heard.get(timeout=SECONDS) == "missed"
    database.execute("SELECT pg_notify('one', 'x')")
    assert heard.get(timeout=SECONDS) == "x"


def test_a_notification_is_heard_at_once(database: Database, listen: Callable[..., Listener]) -> None:
    """Not at the next look at the connection."""
    heard = threading.Event()
    listen({"one": lambda _: heard.set()})
    started = time.monotonic()
    database.execute("NOTIFY one")
    assert heard.wait(SECONDS)
    assert time.monotonic() - started < 1.5


def test_stops(listen: Callable[..., Listener]) -> None:
    """Soon, with nothing to hear."""
    listener = listen({"one": print})
    started = time.monotonic()
    listener.stop(SECONDS)
    assert time.monotonic() - started < SECONDS / 2


def test_waits_for_a_server_that_is_away() -> None:
    """It tries again and does not raise."""
    with pytest.MonkeyPatch.context() as patch:
        tried = threading.Event()

        def refuse(*_: object, **__: object) -> None:
            tried.set()
            raise psycopg.OperationalError

        patch.setattr(psycopg, "connect", refuse)
        listener = Listener("postgresql://nowhere.invalid/none")
        listener.on("one", print, missed=lambda: None)
        listener.start()
        assert tried.wait(SECONDS)
        assert not listener.wait_until_listening(0)
        listener.stop(SECONDS)
