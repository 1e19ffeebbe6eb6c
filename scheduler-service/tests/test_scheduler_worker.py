"""The background process as a whole."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chassis.database import Database
from chassis.events import Event
from chassis.events.broker import open_broker
from chassis.events.pgmq_broker import ensure_pgmq
from chassis.testing import Server
from scheduler_service.worker import background


def eventually(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


@pytest.fixture
def broker(postgres_server: Server) -> str:
    """A broker of its own, as in the embedded run."""
    url = postgres_server.create_database().replace("postgresql", "pgmq", 1)
    ensure_pgmq(url)
    return url


@pytest.fixture
def worker(database: Database, broker: str, settings: Any) -> Iterator[None]:
    """The components, running and ready."""
    url = type(settings.amqp_url)(broker)
    components, checks = background(settings.model_copy(update={"amqp_url": url}), database)
    for component in components:
        component.start()
    try:
        eventually(lambda: not any(check() for check in checks.values()))
        yield
    finally:
        for component in reversed(components):
            component.stop(5)


def answer(broker: str, type_: str, data: dict[str, Any]) -> None:
    """Send an event as another service does."""
    bus = open_broker(broker)
    with bus.session() as connection:
        event = Event.new(type_, "command/x", data, service=type_.partition(".")[0])
        bus.send(bus.producer(connection), type_, event.dump().decode())


@pytest.mark.usefixtures("worker")
def test_a_planned_job_becomes_a_command_and_its_answer_the_end(client: Any, database: Database, broker: str) -> None:
    """From the plan of a client to the result that it reads (spec: scheduler 9, steps 3 to 6)."""
    job = client.job(pattern="0 0 1 1 *")  # no minute that begins meanwhile is due as well
    due = database.value("SELECT clock_timestamp()") + timedelta(seconds=0.2)
    database.execute("UPDATE job SET due_at = %s", [due])
    database.execute("SELECT pg_notify('scheduler_due', '0')")
    command_id = eventually(lambda: database.value("SELECT command_id::text FROM pending_command"))
    eventually(lambda: not database.value("SELECT count(*) FROM outbox"))
    answer(broker, "poller.command.answered", {"command_id": command_id, "ok": True, "job_id": 12, "reason": None})

    def ended() -> Any:
        [run] = client.get(f"/v1/jobs/{job['id']}/runs")[1]["runs"]
        return run if run["status"] != "running" else None

    assert eventually(ended)["execution_id"] == command_id
    execution = client.get(f"/v1/executions/{command_id}")[1]
    assert (execution["status"], json.loads(execution["result"])["output"]) == ("success", {"job_id": 12})
