"""What happens to events when something breaks, on every broker."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

import threading
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY

from chassis.database import Database
from chassis.errors import Unavailable
from chassis.events import Event, Handlers
from chassis.events.broker import DELIVERY_LIMIT
from chassis.events.health import backlog

UPDATED = "auth.worker.updated"


def test_events_published_without_broker_arrive_when_it_is_back(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker, cable = house.database(), house.database(), house.cable()
    house.loop(tracker, "tracker", remember)
    sender = house.loop(auth, "auth", url=cable.url)
    cable.cut()
    for version in range(1, 11):
        tell(auth, version)
    eventually(lambda: not sender.healthy())
    assert backlog(auth)[0] == 10
    cable.mend()
    eventually(lambda: len(versions(tracker)) == 10)
    assert versions(tracker) == list(range(1, 11))
    eventually(lambda: backlog(auth)[0] == 0)


def test_a_service_starts_without_broker_and_connects_later(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker, cable = house.database(), house.database(), house.cable()
    cable.cut()
    house.loop(auth, "auth", url=cable.url, wait=False)
    receiver = house.loop(tracker, "tracker", remember, url=cable.url, wait=False)
    tell(auth, 1)
    cable.mend()
    eventually(receiver.healthy)
    tell(auth, 2)
    eventually(lambda: 2 in versions(tracker))


def test_a_receiver_gets_what_was_sent_while_its_cable_was_cut(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker, cable = house.database(), house.database(), house.cable()
    receiver = house.loop(tracker, "tracker", remember, url=cable.url)
    house.loop(auth, "auth")
    cable.cut()
    tell(auth)
    eventually(lambda: not receiver.healthy())
    cable.mend()
    eventually(lambda: versions(tracker) == [1])


def test_a_crash_between_effect_and_acknowledgement_has_one_effect(house: Any, tell: Any, eventually: Any) -> None:
    auth, tracker, cable = house.database(), house.database(), house.cable()
    duplicates, crashed = _count(UPDATED, "duplicate"), threading.Event()
    handlers = Handlers()

    @handlers.on(UPDATED)
    def handle(tx: Any, event: Event) -> Any:
        tx.execute("INSERT INTO effect (event) VALUES (%s)", [event.id])

        def crash() -> None:
            cable.cut()
            crashed.set()

        return crash

    house.loop(tracker, "tracker", handlers, url=cable.url)
    house.loop(auth, "auth")
    sent = tell(auth)
    eventually(crashed.is_set)
    cable.mend()
    eventually(lambda: _count(UPDATED, "duplicate") > duplicates)
    assert tracker.all("SELECT event FROM effect") == [{"event": sent}]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{not json", "not JSON"),
        ('{"specversion": "1.0"}', "required"),
        ('["a list"]', "envelope"),
        ("VIOLATION", "data|worker_id"),
        ("UNKNOWN", "no contract for auth.worker.exploded"),
    ],
)
def test_a_bad_message_is_put_aside_with_the_reason_while_others_flow(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any, body: str, reason: str
) -> None:
    auth, tracker = house.database(), house.database()
    tell(auth, 1)
    envelope = auth.value("SELECT envelope FROM outbox")
    if body == "VIOLATION":
        body = envelope.replace('"worker_id":7', '"worker_id":"seven"')
    if body == "UNKNOWN":
        body = envelope.replace(UPDATED, "auth.worker.exploded")
    house.loop(tracker, "tracker", remember)
    _send(house, body)
    house.loop(auth, "auth")
    eventually(lambda: versions(tracker) == [1])
    (letter,) = eventually(house.dead("tracker").list)
    assert letter.body == body
    assert letter.reason.startswith("InvalidEvent: ")
    assert any(part in letter.reason for part in reason.split("|"))
    assert letter.died_at


def test_a_message_that_always_fails_is_put_aside_while_others_flow(
    house: Any, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    tries: list[int] = []
    handlers = Handlers()

    @handlers.on(UPDATED)
    def handle(tx: Any, event: Event) -> None:
        tx.execute("INSERT INTO effect (data) VALUES (jsonb_build_object('version', %s::int))", [event.data["version"]])
        if event.data["version"] == 1:
            tries.append(1)
            raise RuntimeError("cannot reach postgresql://me:secret@host/db")

    house.loop(tracker, "tracker", handlers)
    house.loop(auth, "auth")
    poison = tell(auth, 1)
    tell(auth, 2)
    eventually(lambda: versions(tracker) == [2])
    (letter,) = eventually(house.dead("tracker").list)
    assert (letter.reason, letter.event_id) == ("RuntimeError: cannot reach postgresql://host/db", str(poison))
    assert len(tries) == 5
    assert versions(tracker) == [2]


def test_a_database_error_tells_no_values_in_the_reason(house: Any, tell: Any, eventually: Any) -> None:
    auth, tracker = house.database(), house.database()
    tracker.execute("CREATE TABLE hush (secret text PRIMARY KEY)")
    tracker.execute("INSERT INTO hush VALUES ('s3cr3t')")
    handlers = Handlers()

    @handlers.on(UPDATED)
    def handle(tx: Any, event: Event) -> None:
        tx.execute("INSERT INTO hush VALUES ('s3cr3t')")

    house.loop(tracker, "tracker", handlers)
    house.loop(auth, "auth")
    tell(auth)
    (letter,) = eventually(house.dead("tracker").list)
    assert "UniqueViolation" in letter.reason
    assert "s3cr3t" not in letter.reason


def test_an_error_that_passes_costs_nothing(house: Any, tell: Any, eventually: Any, versions: Any) -> None:
    auth, tracker = house.database(), house.database()
    failures = iter([RuntimeError("once"), Unavailable("something"), psycopg.OperationalError("lost")])
    handlers = Handlers()

    @handlers.on(UPDATED)
    def handle(tx: Any, event: Event) -> None:
        tx.execute("INSERT INTO effect (data) VALUES (jsonb_build_object('version', %s::int))", [event.data["version"]])
        for error in failures:
            raise error

    house.loop(tracker, "tracker", handlers)
    house.loop(auth, "auth")
    tell(auth)
    eventually(lambda: versions(tracker) == [1])
    assert house.dead("tracker").list() == []


def test_an_outage_of_the_database_puts_nothing_aside(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    cable = house.cable(tracker.dsn)
    postponed = _postponed()
    with Database(tracker.dsn.replace(_port(tracker.dsn), str(cable.port)), name="cut", timeout=0.1) as cut_off:
        receiver = house.loop(cut_off, "tracker", remember)
        house.loop(auth, "auth")
        cable.cut()
        for version in range(1, 31):
            tell(auth, version)
        eventually(lambda: _postponed() >= postponed + 6, 40)
        assert not receiver.healthy()
        cable.mend()
        eventually(lambda: len(versions(tracker)) == 30, 60)
        assert versions(tracker) == list(range(1, 31))
        assert house.dead("tracker").list() == []
        receiver.stop(10)


def test_connections_to_the_database_that_are_killed_come_back(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    house.loop(auth, "auth")
    for database in (auth, tracker):
        database.all(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    eventually(lambda: _unless_unavailable(lambda: tell(auth)))
    eventually(lambda: _unless_unavailable(lambda: versions(tracker) == [1]))


def test_a_deleted_queue_is_made_again(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    receiver = house.loop(tracker, "tracker", remember)
    house.loop(auth, "auth")
    house.delete_queues()
    eventually(lambda: not receiver.healthy())
    eventually(receiver.healthy)
    tell(auth)
    eventually(lambda: versions(tracker) == [1])


def test_what_was_in_a_deleted_queue_arrives_all_the_same(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    """Confirmed by the broker and gone with it; what had its effect before has no second one."""
    auth, tracker = house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    sender = Handlers()
    sender.on("tracker.role.changed")(lambda tx, event: None)
    house.loop(auth, "auth", sender)
    tell(auth, 1)
    eventually(lambda: versions(tracker) == [1])
    house.stack.close()
    house.loop(auth, "auth", sender)
    for version in (2, 3, 4):
        tell(auth, version)
    eventually(lambda: backlog(auth)[0] == 0)
    house.services.discard("auth")
    house.delete_queues()
    house.services.add("auth")
    tell(auth, 5)
    eventually(lambda: backlog(auth)[0] == 0)
    house.loop(tracker, "tracker", remember)
    eventually(lambda: len(versions(tracker)) == 5)
    assert versions(tracker) == [1, 2, 3, 4, 5]


def test_who_lost_its_queue_at_the_same_moment_hears_of_the_other_later(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.events.resend.REPEATS_SECONDS", (0.5, 1.5, 3.0))
    auth, tracker = house.database(), house.database()
    sender = Handlers()
    sender.on("tracker.role.changed")(lambda tx, event: None)
    house.loop(auth, "auth", sender)
    tell(auth, 1)
    eventually(lambda: backlog(auth)[0] == 0)
    house.stack.close()
    house.delete_queues()
    house.loop(tracker, "tracker", remember)
    eventually(lambda: backlog(tracker)[0] == 0)
    house.loop(auth, "auth", sender)
    eventually(lambda: versions(tracker) == [1])


def test_a_message_that_ends_the_process_each_time_is_put_aside(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    house.services.add("tracker")
    with house.broker.session() as connection:
        house.broker.declare(connection, "tracker", remember.types, ())
    tell(auth)
    _send(house, auth.value("SELECT envelope FROM outbox"))
    house.refuse("tracker", DELIVERY_LIMIT + 1)
    house.loop(tracker, "tracker", remember)
    (letter,) = eventually(house.dead("tracker").list)
    assert "deliver" in letter.reason
    assert versions(tracker) == []


def test_dead_letters_can_be_read_sent_again_and_dropped(house: Any, tell: Any, eventually: Any, versions: Any) -> None:
    auth, tracker = house.database(), house.database()
    broken = True
    handlers = Handlers()

    @handlers.on(UPDATED)
    def handle(tx: Any, event: Event) -> None:
        tx.execute("INSERT INTO effect (data) VALUES (jsonb_build_object('version', %s::int))", [event.data["version"]])
        if broken:
            raise ValueError("cannot")

    house.loop(tracker, "tracker", handlers)
    house.loop(auth, "auth")
    sent = [str(tell(auth, version)) for version in (1, 2, 3)]
    dead = house.dead("tracker")
    letters = eventually(lambda: (found := dead.list()) and len(found) == 3 and found)
    ids = {letter.event_id: letter.id for letter in letters}
    assert [letter.event_id for letter in dead.list(2)] == [letter.event_id for letter in letters[:2]]
    assert dead.inspect(ids[sent[1]]) == next(letter for letter in letters if letter.event_id == sent[1])
    broken = False
    assert dead.resend(ids[sent[1]])
    eventually(lambda: versions(tracker) == [2])
    assert dead.drop(ids[sent[0]])
    assert [letter.event_id for letter in dead.list()] == [sent[2]]
    assert (dead.drop("nothing"), dead.resend("nothing"), dead.inspect("nothing")) == (False, False, None)


def _send(house: Any, body: str) -> None:
    with house.broker.session() as connection:
        house.broker.send(house.broker.producer(connection), UPDATED, body)


def _unless_unavailable(do: Any) -> Any:
    with suppress(Unavailable):
        return do()


def _count(type_: str, result: str) -> float:
    return REGISTRY.get_sample_value("events_consumed_total", {"type": type_, "result": result}) or 0


def _postponed() -> float:
    """Of any type: the first that waits can be the queue's own news that it is new."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "events_consumed_total" and sample.labels["result"] == "postponed"
    )


def _port(dsn: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(dsn)["port"])
