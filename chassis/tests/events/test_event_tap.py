"""The event tap: what people see of the stream, on every broker."""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from chassis.events import Event, Handlers
from chassis.events.pgmq_broker import postgresql_url
from chassis.events.schemas import schemas
from chassis.events.tap import bodies, line

TASKS = "tracker.tasks.submitted"


def body(subject: str = "project/1", **data: Any) -> str:
    return Event.new(TASKS, subject, {"project_id": 1, "count": 2, **data}, service="tracker").dump().decode()


@pytest.fixture
def tapped(house: Any) -> Iterator[Callable[..., Iterator[str]]]:
    """Open a tap that is connected when this returns, and read what it gives."""
    with closing(bodies(house.broker, "auth.#")) as tap:

        def read(count: int) -> list[str]:
            return list(itertools.islice((body for body in tap if body is not None), count))

        assert next(tap) is None
        yield read


def test_a_tap_sees_every_event_in_order_and_takes_none(
    house: Any, tapped: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    house.loop(auth, "auth")
    sent = [str(tell(auth, version)) for version in range(1, 31)]
    assert [str(Event.parse(body).id) for body in tapped(30)] == sent
    eventually(lambda: versions(tracker) == list(range(1, 31)))


def test_a_tap_can_be_for_some_types(house: Any, tell: Any, eventually: Any) -> None:
    auth = house.database()
    with closing(bodies(house.broker, "auth.*.created")) as tap:
        next(tap)
        tell(auth, 1)
        tell(auth, 2, type_="auth.worker.created")
        house.loop(auth, "auth")
        assert Event.parse(next(body for body in tap if body)).data["version"] == 2


def test_a_tap_leaves_nothing_behind(house: Any) -> None:
    names = queue_names(house)
    with closing(bodies(house.broker)) as tap:
        next(tap)
        assert names is None or len(queue_names(house) or ()) == len(names) + 1
    assert queue_names(house) == names


def test_the_queue_of_a_killed_tap_goes_with_the_next_one(house: Any) -> None:
    if house.url.startswith("amqp"):
        pytest.skip("RabbitMQ drops an exclusive queue with its connection")
    dead = f"{house.exchange}_tap_dead"
    with psycopg.connect(postgresql_url(house.url)) as connection:
        connection.execute("SELECT pgmq.create_unlogged(%s)", [dead])
    with closing(bodies(house.broker)) as first, closing(bodies(house.broker)) as second:
        next(first)
        next(second)
        taps = queue_names(house) or []
        assert len(taps) == 2
        assert dead not in taps
    assert queue_names(house) == []


def test_a_line_says_when_who_what_about_what() -> None:
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d\.\d{3}  tracker    tracker\.tasks\.submitted +project/1 +\{"project_id":1,"count":2\}',
        line(body()),
    )


def test_long_data_is_cut_unless_all_is_wanted() -> None:
    long = body(note="x" * 5000)
    assert len(line(long)) < 600
    assert line(long, None).count("x") == 5000


@pytest.mark.parametrize("evil", ["\x1b[2J", "\r", "\u202e", "\x9b31m", "\n"])
def test_a_name_cannot_move_the_cursor(evil: str) -> None:
    shown = line(body(f"login/{evil}", note=evil))
    assert evil not in shown
    assert shown.isprintable()


def test_what_is_no_event_is_shown_without_its_text() -> None:
    shown = line('{"password": "s3cr3t"}')
    assert "not an event" in shown
    assert "s3cr3t" not in shown


def test_no_event_type_has_a_field_for_a_secret() -> None:
    """What cannot be said in an event cannot leak from one."""
    names = {name for document in schemas().documents.values() for name in fields(document)}
    secret = re.compile(r"secret|password|token|credential|cookie|private|hash|^key$|api_key|authorization", re.I)
    assert not [name for name in names if secret.search(name)]


def fields(schema: Any) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        yield name
        yield from fields(field)
        yield from fields(field.get("items", {}))


def queue_names(house: Any) -> list[str] | None:
    """Return the queues of this test; RabbitMQ has no word for that in its protocol."""
    if house.url.startswith("amqp"):
        return None
    with psycopg.connect(postgresql_url(house.url)) as connection:
        prefix = f"{house.exchange}%"
        rows = connection.execute("SELECT queue_name FROM pgmq.meta WHERE queue_name LIKE %s ORDER BY 1", [prefix])
        return [name for (name,) in rows]
