"""Commands: carried out once, answered each time, sent until answered."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
import structlog

from chassis.database import Database, Transaction
from chassis.errors import ApiError, Unavailable
from chassis.events import Event, Handlers, InvalidEvent, commands
from chassis.events.commands import Commands
from chassis.testing import MakeDatabase

SUBMIT = "poller.job.submit"
ANSWERED = "poller.command.answered"
DATA = {"principal": {"kind": "account", "id": 3}, "user": "ada", "config": {}}


def command(**data: Any) -> Event:
    """A command as it arrives, with an event id of its own."""
    return Event.parse(Event.new(SUBMIT, "x", DATA | data, service="scheduler").dump())


def told(database: Database) -> list[Any]:
    rows = database.all("SELECT type, envelope FROM outbox ORDER BY id")
    return [orjson.loads(row["envelope"])["data"] for row in rows if row["type"] == ANSWERED]


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    database = make_database()
    database.execute("CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY, name text UNIQUE)")
    return database


@pytest.fixture
def handlers() -> Handlers:
    """Handlers that make a job for each command; users with certain names make trouble."""
    handlers = Handlers()

    @Commands("poller", handlers).on(SUBMIT, result=["job_id"])
    def submit(tx: Transaction, event: Event) -> dict[str, int]:
        job_id = tx.value("INSERT INTO job (name) VALUES (%s) RETURNING id", [event.data["user"]])
        if event.data["user"] == "refused":
            raise ApiError(400, "not you")
        if event.data["user"] == "crash":
            raise RuntimeError
        if event.data["user"] == "away":
            raise Unavailable("something")
        return {"job_id": job_id}

    return handlers


def carry_out(database: Database, handlers: Handlers, event: Event) -> None:
    handle = handlers.find(event.type)
    assert handle
    with database.transaction() as tx:
        handle(tx, event)


def test_a_command_has_its_effect_and_is_answered(database: Database, handlers: Handlers) -> None:
    event = command()
    carry_out(database, handlers, event)
    assert told(database) == [{"command_id": str(event.id), "ok": True, "job_id": 1, "reason": None}]
    row = database.one(
        "SELECT envelope::json ->> 'subject' AS subject, envelope::json ->> 'source' AS source FROM outbox"
    )
    assert row == {"subject": f"command/{event.id}", "source": "/taskyard/poller"}


def test_a_repetition_gets_the_first_answer_and_has_no_effect(database: Database, handlers: Handlers) -> None:
    command_id = str(uuid.uuid4())
    for user in ("ada", "bob", "refused"):
        carry_out(database, handlers, command(command_id=command_id, user=user))
    assert told(database) == [{"command_id": command_id, "ok": True, "job_id": 1, "reason": None}] * 3
    assert database.all("SELECT name FROM job") == [{"name": "ada"}]


@pytest.mark.parametrize("spelling", [str, lambda id_: str(id_).upper()])
def test_the_first_events_id_is_the_commands_id_when_it_has_none(
    database: Database, handlers: Handlers, spelling: Any
) -> None:
    event = command()
    carry_out(database, handlers, event)
    carry_out(database, handlers, command(command_id=spelling(event.id)))
    first, second = told(database)
    assert first == second
    assert database.value("SELECT count(*) FROM job") == 1


def test_a_refusal_undoes_the_effect_and_stays(database: Database, handlers: Handlers) -> None:
    command_id = str(uuid.uuid4())
    carry_out(database, handlers, command(command_id=command_id, user="refused"))
    carry_out(database, handlers, command(command_id=command_id, user="ada"))
    assert told(database) == [{"command_id": command_id, "ok": False, "job_id": None, "reason": "not you"}] * 2
    assert database.value("SELECT count(*) FROM job") == 0


@pytest.mark.parametrize(("user", "error"), [("crash", RuntimeError), ("away", Unavailable)])
def test_a_failure_is_no_answer(database: Database, handlers: Handlers, user: str, error: type[Exception]) -> None:
    command_id = str(uuid.uuid4())
    with pytest.raises(error):
        carry_out(database, handlers, command(command_id=command_id, user=user))
    assert told(database) == []
    carry_out(database, handlers, command(command_id=command_id))
    assert [answer["ok"] for answer in told(database)] == [True]


def test_a_command_that_arrives_twice_at_the_same_moment_has_one_effect(database: Database, handlers: Handlers) -> None:
    command_id = str(uuid.uuid4())
    together = threading.Barrier(4)

    def arrive(_: int) -> None:
        together.wait(10)
        carry_out(database, handlers, command(command_id=command_id))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(arrive, range(4)))
    assert database.value("SELECT count(*) FROM job") == 1
    assert len(told(database)) == 4
    assert len({str(answer) for answer in told(database)}) == 1


def test_old_answers_are_forgotten(database: Database, handlers: Handlers) -> None:
    old, new = command(), command(user="bob")
    for event in (old, new):
        carry_out(database, handlers, event)
    database.execute(
        "UPDATE answered_command SET received_at = now() - interval '31 days' WHERE command_id = %s", [old.id]
    )
    assert commands.prune(database) == 1
    assert database.value("SELECT command_id FROM answered_command") == new.id


# -- the sender


def send(database: Database, **data: Any) -> str:
    with database.transaction() as tx:
        return commands.send(tx, SUBMIT, "schedule/7", DATA | data, service="scheduler")


def sent(database: Database) -> list[Any]:
    return [orjson.loads(row["envelope"]) for row in database.all("SELECT envelope FROM outbox ORDER BY id")]


def time_passes(database: Database, seconds: float) -> None:
    database.execute("UPDATE pending_command SET next_at = next_at - make_interval(secs => %s)", [seconds])


def answer(database: Database, command_id: str) -> bool:
    data = {"command_id": command_id, "ok": True, "job_id": 1, "reason": None}
    with database.transaction() as tx:
        return commands.settle(tx, Event.new(ANSWERED, f"command/{command_id}", data, service="poller"))


def test_an_unanswered_command_is_sent_again_in_a_new_event(database: Database) -> None:
    command_id = send(database)
    assert commands.repeat_unanswered(database) == 0
    time_passes(database, 31)
    assert commands.repeat_unanswered(database) == 1
    first, second = sent(database)
    assert first["data"] == second["data"] == DATA | {"command_id": command_id}
    assert first["id"] != second["id"]
    assert (second["source"], second["subject"]) == ("/taskyard/scheduler", "schedule/7")
    assert second["traceparent"] == first["traceparent"]


def test_the_waits_grow_up_to_an_hour(database: Database) -> None:
    send(database)
    waits = []
    for _ in range(9):
        time_passes(database, 3601)
        assert commands.repeat_unanswered(database) == 1
        wait = database.value("SELECT extract(epoch FROM next_at - clock_timestamp()) FROM pending_command")
        waits.append(round(wait))
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_an_answered_command_is_not_sent_again(database: Database) -> None:
    command_id = send(database)
    assert answer(database, command_id)
    assert not answer(database, command_id)
    assert not answer(database, str(uuid.uuid4()))
    time_passes(database, 3601)
    assert commands.repeat_unanswered(database) == 0


def test_a_command_of_a_rolled_back_transaction_is_not_sent(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as tx:
            commands.send(tx, SUBMIT, "schedule/7", DATA, service="scheduler")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (sent(database), database.value("SELECT count(*) FROM pending_command")) == ([], 0)


def test_a_command_against_its_contract_is_not_sent(database: Database) -> None:
    with pytest.raises(InvalidEvent):
        send(database, user=7)


def test_a_command_keeps_the_id_that_its_sender_gave(database: Database) -> None:
    command_id = str(uuid.uuid4())
    assert send(database, command_id=command_id) == command_id


def test_many_are_sent_like_one(database: Database) -> None:
    made = [commands.Command.new(SUBMIT, f"schedule/{n}", DATA, service="scheduler") for n in range(3)]
    with database.transaction() as tx:
        commands.send_many(tx, [])
        commands.send_many(tx, made)
    first = sent(database)
    assert [event["subject"] for event in first] == ["schedule/0", "schedule/1", "schedule/2"]
    assert [event["data"]["command_id"] for event in first] == [command.id for command in made]
    assert len({event["traceparent"] for event in first}) == 3
    time_passes(database, 31)
    assert commands.repeat_unanswered(database) == 3
    again = sent(database)[3:]
    assert {event["traceparent"] for event in again} == {event["traceparent"] for event in first}
    assert sorted(event["data"]["command_id"] for event in again) == sorted(command.id for command in made)


def test_a_command_of_a_request_belongs_to_its_trace() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-00"
    with structlog.contextvars.bound_contextvars(traceparent=trace):
        command = commands.Command.new(SUBMIT, "schedule/7", DATA, service="scheduler")
    assert command.row()["traceparent"] == command.event.traceparent == trace


def test_a_command_crosses_the_broker_and_its_answer_settles_it(
    house: Any, handlers: Handlers, eventually: Any
) -> None:
    scheduler, poller = house.database(), house.database()
    poller.execute("CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY, name text UNIQUE)")
    answers: list[Any] = []
    waiting = Handlers()

    @waiting.on(ANSWERED)
    def answered(tx: Transaction, event: Event) -> Any:
        return (lambda: answers.append(event.data)) if commands.settle(tx, event) else None

    house.loop(poller, "poller", handlers)
    house.loop(scheduler, "scheduler", waiting)
    command_id = send(scheduler)
    time_passes(scheduler, 31)
    commands.repeat_unanswered(scheduler)
    eventually(lambda: scheduler.value("SELECT count(*) FROM inbox WHERE type LIKE 'poller.%'") == 2)
    eventually(lambda: answers)
    assert answers == [{"command_id": command_id, "ok": True, "job_id": 1, "reason": None}]
    assert poller.value("SELECT count(*) FROM job") == 1
    assert scheduler.value("SELECT count(*) FROM pending_command") == 0
