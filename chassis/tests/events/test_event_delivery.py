"""An event on its way from one service's transaction to another's, on every broker."""

import uuid
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from chassis.events import Handlers, InvalidEvent, broker_lag, publish, publish_many
from chassis.events.health import backlog
from chassis.events.inbox import prune


def test_an_event_arrives_once(house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    house.loop(auth, "auth")
    sent = tell(auth)
    eventually(lambda: versions(tracker))
    assert tracker.all("SELECT event, subject FROM effect") == [{"event": sent, "subject": "worker/7"}]
    eventually(lambda: backlog(auth) == (0, 0))


def test_every_service_gets_its_own_copy(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker, scheduler = house.database(), house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    house.loop(scheduler, "scheduler", remember)
    house.loop(auth, "auth")
    tell(auth)
    eventually(lambda: versions(tracker) and versions(scheduler))


def test_a_rollback_sends_nothing(house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    house.loop(auth, "auth")

    def fail() -> None:
        with auth.transaction() as tx:
            publish(tx, "auth.worker.updated", "worker/7", {**_worker(), "version": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    tell(auth, version=2)
    eventually(lambda: versions(tracker))
    assert versions(tracker) == [2]


def test_many_events_of_one_statement_arrive_in_their_order(
    house: Any, remember: Handlers, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    house.loop(auth, "auth")
    items = [("worker/7", {**_worker(), "alias": f'"\\{number}\u20ac', "version": number}) for number in range(1, 31)]
    with auth.transaction() as tx:
        sent = publish_many(tx, "auth.worker.updated", items)
        assert publish_many(tx, "auth.worker.updated", []) == []
    eventually(lambda: len(versions(tracker)) == 30)
    assert versions(tracker) == list(range(1, 31))
    assert [row["event"] for row in tracker.all("SELECT event FROM effect ORDER BY n")] == sent


def test_an_event_against_its_contract_is_refused_with_its_transaction(house: Any) -> None:
    auth = house.database()

    def change() -> None:
        with auth.transaction() as tx:
            tx.execute("INSERT INTO effect (subject) VALUES ('x')")
            publish(tx, "auth.worker.updated", "worker/7", {**_worker(), "version": 1, "worker_id": "seven"})

    with pytest.raises(InvalidEvent, match="worker_id"):
        change()
    assert auth.all("SELECT 1 FROM effect UNION ALL SELECT 1 FROM outbox") == []


def test_a_second_delivery_has_no_second_effect(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    tell(auth)
    envelope = auth.value("SELECT envelope FROM outbox")
    with house.broker.session() as connection:
        producer = house.broker.producer(connection)
        for _ in range(3):
            house.broker.send(producer, "auth.worker.updated", envelope)
    house.loop(auth, "auth")
    tell(auth, version=2)
    eventually(lambda: 2 in versions(tracker))
    assert versions(tracker) == [1, 2]


def test_events_of_a_subject_arrive_in_order(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(tracker, "tracker", remember)
    for version in range(1, 21):
        tell(auth, version)
    house.loop(auth, "auth")
    for version in range(21, 61):
        tell(auth, version)
    eventually(lambda: len(versions(tracker)) == 60)
    assert versions(tracker) == list(range(1, 61))


def test_two_relays_send_nothing_twice_and_keep_the_order(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    duplicates = _duplicates()
    house.loop(tracker, "tracker", remember)
    first, second = house.loop(auth, "auth"), house.loop(auth, "auth")
    for version in range(1, 31):
        tell(auth, version)
    eventually(lambda: len(versions(tracker)) == 30)
    first.stop(10)
    for version in range(31, 41):
        tell(auth, version)
    eventually(lambda: len(versions(tracker)) == 40)
    assert versions(tracker) == list(range(1, 41))
    assert _duplicates() == duplicates
    assert second.healthy()


def test_events_wait_for_a_service_that_is_away(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(auth, "auth")
    house.loop(tracker, "tracker", remember).stop(10)
    tell(auth)
    eventually(lambda: backlog(auth)[0] == 0)
    assert versions(tracker) == []
    house.loop(tracker, "tracker", remember)
    eventually(lambda: versions(tracker) == [1])


def test_a_retired_type_no_longer_comes(
    house: Any, remember: Handlers, tell: Any, eventually: Any, versions: Any
) -> None:
    auth, tracker = house.database(), house.database()
    house.loop(auth, "auth")
    house.loop(tracker, "tracker", remember).stop(10)
    newer = Handlers()
    newer.on("auth.worker.created")(remember.find("auth.worker.created") or pytest.fail("no handler"))
    newer.retire("auth.worker.updated")
    house.loop(tracker, "tracker", newer)
    tell(auth, 1)
    tell(auth, 2, type_="auth.worker.created")
    eventually(lambda: versions(tracker) == [2])
    assert house.dead("tracker").list() == []


def test_what_a_handler_returns_runs_after_its_commit(house: Any, tell: Any, eventually: Any) -> None:
    auth, tracker = house.database(), house.database()
    seen: list[int] = []
    handlers = Handlers()

    @handlers.on("auth.worker.updated")
    def handle(tx: Any, event: Any) -> Any:
        tx.execute("INSERT INTO effect (subject) VALUES ('x')")
        return lambda: seen.append(tracker.value("SELECT count(*) FROM effect"))

    house.loop(auth, "auth")
    house.loop(tracker, "tracker", handlers)
    tell(auth)
    eventually(lambda: seen)
    assert seen == [1]


def test_an_event_can_cause_events_within_the_same_trace(house: Any, tell: Any, eventually: Any) -> None:
    auth, tracker = house.database(), house.database()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    relayed, closing = Handlers(), Handlers()
    got: list[Any] = []

    @relayed.on("auth.worker.updated")
    def relay(tx: Any, event: Any) -> None:
        publish(tx, "tracker.tasks.submitted", "project/1", {"project_id": 1, "count": 1})

    @closing.on("tracker.tasks.submitted")
    def close(tx: Any, event: Any) -> None:
        got.append(event)

    house.loop(tracker, "tracker", relayed)
    house.loop(auth, "auth", closing)
    with structlog.contextvars.bound_contextvars(traceparent=trace):
        tell(auth)
    eventually(lambda: got)
    assert (got[0].traceparent, got[0].source) == (trace, "/taskyard/tracker")


def test_lag_is_the_age_of_the_oldest_unsent_event(house: Any, tell: Any) -> None:
    auth = house.database()
    assert broker_lag(auth) == 0
    tell(auth)
    tell(auth, 2)
    auth.execute("UPDATE outbox SET created_at = created_at - interval '1 minute'")
    assert 60 <= broker_lag(auth) < 70
    assert backlog(auth)[0] == 2


def test_old_inbox_rows_are_pruned(house: Any) -> None:
    tracker = house.database()
    for days in (1, 20):
        tracker.execute(
            "INSERT INTO inbox VALUES (%s, 'auth.worker.updated', now() - make_interval(days => %s))",
            [uuid.uuid4(), days],
        )
    assert prune(tracker, days=14) == 1
    assert tracker.value("SELECT count(*) FROM inbox") == 1


def _worker() -> dict[str, Any]:
    return {"worker_id": 7, "alias": "node", "paused": False, "created": 1_760_000_000}


def _duplicates() -> float:
    labels = {"type": "auth.worker.updated", "result": "duplicate"}
    return REGISTRY.get_sample_value("events_consumed_total", labels) or 0
