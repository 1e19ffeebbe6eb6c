"""What the poller tells and what it is told (spec: poller 6)."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from chassis.database import Database
from chassis.events import Event, EventLoop, publish
from chassis.events.broker import open_broker
from chassis.events.pgmq_broker import ensure_pgmq
from chassis.events.reference import consumed_by
from chassis.testing import Server
from poller_service import commands
from poller_service.events import CREATED, STATUS_CHANGED, SUBMIT

ANSWERED = "poller.command.answered"
ADA = {"kind": "account", "id": 3}
CONFIG = {"model": "CMIP5", "n": 1}


def submit(database: Database, **data: Any) -> Event:
    """Let the handler do its work as the consumer does, in one transaction."""
    event = Event.new(SUBMIT, "x", {"principal": ADA, "user": "ada", "config": CONFIG, **data}, service="scheduler")
    event = Event.parse(event.dump())
    handle = commands.handlers.find(SUBMIT)
    assert handle
    with database.transaction() as tx:
        handle(tx, event)
    return event


def test_a_creation_is_told_once(poller: Any, sent: Any) -> None:
    job_id = poller.create("ada", model="CMIP5")
    assert sent() == [{"job_id": job_id, "user": "ada", "status": "new", "version": 1}]


def test_each_change_is_told_in_order(poller: Any, sent: Any) -> None:
    job_id = poller.create()
    assert poller.post(request="next", claim=1)[1]["job_id"] == job_id
    poller.move(job_id, "in_progress")
    poller.move(job_id, "failed")
    poller.post(request="all", status="new")
    assert [(data["previous"], data["status"], data["version"]) for data in sent(STATUS_CHANGED)] == [
        ("new", "in_progress", 2),
        ("in_progress", "failed", 3),
        ("failed", "new", 4),
    ]


def test_what_is_refused_is_not_told(poller: Any, sent: Any) -> None:
    job_id = poller.create()
    poller.move(job_id, "complete")
    told = sent()
    assert poller.post(request="failed", job_id=job_id)[0] == 400
    assert poller.post(request="new", user="ada", job_id=7)[0] == 400
    assert sent() == told


def test_all_tells_of_each_changed_job_once(poller: Any, database: Database, sent: Any) -> None:
    database.execute("INSERT INTO job (user_name, configuration) SELECT 'ada', '{}' FROM generate_series(1, 300)")
    done = poller.create()
    poller.move(done, "failed")
    assert poller.post(request="all", status="failed") == (200, {"updated": 300})
    told = [data for data in sent(STATUS_CHANGED) if data["job_id"] != done]
    assert len({data["job_id"] for data in told}) == len(told) == 300


def test_subjects_name_the_job(poller: Any, database: Database) -> None:
    job_id = poller.create()
    row = database.one("SELECT envelope::json ->> 'subject' AS subject, type FROM outbox")
    assert row == {"subject": f"job/{job_id}", "type": CREATED}


# -- commands


def test_contracts_name_what_the_poller_receives() -> None:
    assert commands.handlers.types == consumed_by("poller")


def test_a_command_creates_a_job_and_is_answered(poller: Any, database: Database, sent: Any) -> None:
    event = submit(database)
    job = poller.get(request="next")[1]
    assert (job["user"], job["model"], job["n"], job["status"]) == ("ada", "CMIP5", 1, "new")
    answer = {"command_id": str(event.id), "ok": True, "job_id": job["job_id"], "reason": None}
    assert sent(ANSWERED) == [answer]
    assert len(sent(CREATED)) == 1


def test_a_repeated_command_is_answered_again_without_a_second_effect(
    poller: Any, database: Database, sent: Any
) -> None:
    command_id = str(uuid.uuid4())
    for _ in range(3):
        submit(database, command_id=command_id)
    assert len(poller.get(request="all")[1]) == 1
    answers = sent(ANSWERED)
    assert len(answers) == 3
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["command_id"] == command_id


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"user": ""}, "user must be a text of 1 to 200 characters"),
        ({"config": {"status": "failed"}}, "'status' cannot be a configuration field"),
        ({"config": {"x": "y" * 70_000}}, "the configuration is too large: at most 65536 bytes as JSON are accepted"),
        ({"config": {"a": 1, "config_options": {"a": 2}}}, "'a' is given twice: flat and in config_options"),
    ],
)
def test_a_refused_command_is_answered_with_the_reason(
    poller: Any, database: Database, sent: Any, data: dict[str, Any], reason: str
) -> None:
    event = submit(database, **data)
    assert sent() == [{"command_id": str(event.id), "ok": False, "job_id": None, "reason": reason}]
    assert poller.get(request="all") == (200, {})


@pytest.fixture(params=["pgmq", "rabbitmq"])
def house(request: pytest.FixtureRequest, postgres_server: Server, database: Database) -> Iterator[EventLoop]:
    """The poller's event loop on each kind of broker, connected; what it made there is gone after the test."""
    if request.param == "pgmq":
        url = postgres_server.create_database().replace("postgresql", "pgmq", 1)
        ensure_pgmq(url)
    else:
        url = request.getfixturevalue("amqp_url")
    exchange = f"p{uuid.uuid4().hex[:8]}"
    loop = EventLoop(database, url, "poller", commands.handlers, exchange=exchange, registry=CollectorRegistry())
    loop.start()
    yield loop
    loop.stop(20)
    if request.param == "rabbitmq":
        broker = open_broker(url, exchange)
        with broker.session() as connection:
            channel: Any = connection.default_channel
            for queue in (broker.queue_name("poller"), broker.dead_name("poller")):
                channel.queue_delete(queue)
            channel.exchange_delete(exchange)


def test_a_command_travels_over_the_broker_and_its_answer_leaves(
    house: EventLoop, poller: Any, database: Database, eventually: Any, sent: Any
) -> None:
    """Sent twice by its sender and delivered through outbox, broker and inbox: one job, everything sent on."""
    eventually(house.healthy)
    command = {"command_id": str(uuid.uuid4()), "principal": ADA, "user": "ada", "config": CONFIG}
    for _ in range(2):
        with database.transaction() as tx:
            publish(tx, SUBMIT, "schedule/1", command, service="scheduler")
    eventually(lambda: database.value("SELECT count(*) FROM inbox WHERE type = %s", [SUBMIT]) == 2)
    eventually(lambda: not sent())
    assert [job["model"] for job in poller.get(request="all")[1]] == ["CMIP5"]
