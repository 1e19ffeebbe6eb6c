"""Each part of the house is killed while jobs are due: one execution for each planned time, and each one ends."""

import io
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from actors import PASSWORD, Person, unique
from rabbit import Rabbit, script

from chassis.testing.waiting import eventually
from embedded import postgres
from embedded.house import House

QUICK = {"TASKYARD_GATE_THROTTLE_BURST": "100000"}
COMMANDS, PACKAGES = 200, 24
VICTIMS = ("scheduler-worker", "scheduler-runner", "poller-worker", "scheduler-api", "postgres", "scheduler-worker")
BROKER = "the broker"
VICTIMS_BESIDE_RABBITMQ = (BROKER, "scheduler-worker", "scheduler-runner", "postgres", BROKER, "poller-worker")
BETWEEN_KILLS = (COMMANDS + PACKAGES) // (len(VICTIMS) + 2)
assert len(VICTIMS) == len(VICTIMS_BESIDE_RABBITMQ)

# What a client cannot ask for: that hundreds of jobs are due within seconds instead of minutes.
COPY = """
INSERT INTO job (id, project_id, owner_kind, owner_id, name, function_id, count, first_execution_time,
    next_execution_time, due_at)
SELECT gen_random_uuid(), project_id, owner_kind, owner_id, 'due', function_id, 1, moment, moment, moment
FROM job, generate_series(1, %(count)s) AS number,
    LATERAL (SELECT date_trunc('second', now()) + make_interval(secs => 3 + number * 15 / %(count)s) AS moment)
WHERE job.id = %(job_id)s
"""
RING = "SELECT pg_notify('scheduler_due', extract(epoch FROM now())::text)"
EXECUTIONS = """
SELECT job.id, job.status AS job, execution.status AS execution FROM job
LEFT JOIN execution ON execution.job_id = job.id AND execution.planned_time = job.first_execution_time
WHERE job.name = 'due'
"""


def call(person: Person, path: str, **sent: Any) -> Any:
    """Create something in the scheduler."""
    login = person.post("/auth/token", {"username": person.username, "password": PASSWORD})
    token = {"X-Auth-Token": login.json()["access_token"]}
    answer = requests.post(f"{person.gate}/v1{path}", headers=token, timeout=60, **sent)
    assert answer.status_code == 201, answer.text
    return answer.json()


def package(person: Person) -> Any:
    """Create a function that is code."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", "def main(**kwargs): return 1")
    runtimes = requests.get(f"{person.gate}/v1/runtimes", auth=(person.username, PASSWORD), timeout=60).json()
    fields = {"code": '{"source": "package"}', "runtime_id": runtimes["runtimes"][0]["id"], "timeout": "60"}
    return call(person, "/functions", data=fields, files={"package": content.getvalue()})


@pytest.mark.timeout(600)
def test_every_planned_time_is_executed_once_and_every_execution_ends(house: House, admin: Person) -> None:
    """Must show; spec: scheduler 4.4, rules 2, 3, 8: over the broker in PostgreSQL, which dies with it."""
    strike(house, admin, VICTIMS, house.kill)


@pytest.mark.embedded
@pytest.mark.timeout(900)
def test_the_same_over_rabbitmq(data_directory: Path) -> None:
    """Must show; spec: scheduler 4.2, broker down: what was to be sent is sent when it is back."""
    if script() is None or not os.environ.get("TASKYARD_TEST_AMQP_URL"):
        pytest.skip("RabbitMQ is not installed, or TASKYARD_TEST_AMQP_URL is not set")
    directory = Path(tempfile.mkdtemp(dir=data_directory))
    postgres.own(directory)
    with Rabbit() as rabbit, House(directory / "house", amqp_url=rabbit.url, environment=QUICK) as house:

        def kill(victim: str) -> None:
            rabbit.kill() if victim == BROKER else house.kill(victim)

        strike(house, Person.register(house.url), VICTIMS_BESIDE_RABBITMQ, kill)


def strike(house: House, admin: Person, victims: tuple[str, ...], kill: Callable[[str], None]) -> None:
    """Kill one after the other while jobs are due, and look whether anything was lost or done twice."""
    dsn = house.env("scheduler")["TASKYARD_DATABASE_URL"]

    def rows(query: str = EXECUTIONS, **parameters: Any) -> list[Any]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    user = unique("cron")
    poll = call(admin, "/functions", json={"code": {"source": "poller", "user": user, "config": {}}})
    for function, count in ((poll, COMMANDS), (package(admin), PACKAGES)):
        template = call(admin, "/jobs", json={"function_id": function["id"], "pattern": "0 0 1 1 *"})
        rows(COPY, job_id=template["id"], count=count)
    rows(RING)
    for number, victim in enumerate(victims, 1):
        # That more were executed shows that the last victim is back.
        eventually(while_down(lambda: executed(rows()) >= BETWEEN_KILLS * number), 180)  # noqa: B023
        kill(victim)
    ended = eventually(while_down(lambda: all_ended(rows())), 240)
    assert len(ended) == COMMANDS + PACKAGES
    assert len({row[0] for row in ended}) == len(ended)
    assert [row for row in ended if row[1] != "done"] == []
    assert [status for _, _, status in ended].count("success") >= COMMANDS
    assert eventually(lambda: polled(house.url, user), 60) == COMMANDS
    house.wait_all_ready()  # what comes next need not know of this


def polled(gate: str, user: str) -> int | None:
    """Return how many jobs the poller has of a user, once it has found its database again."""
    answer = requests.get(f"{gate}/poller/update/", params={"request": "new", "user": user}, timeout=60)
    return len(answer.json()) if answer.ok else None


def while_down(condition: Callable[[], Any]) -> Callable[[], Any]:
    """Return the condition, not yet true while PostgreSQL is down."""

    def safely() -> Any:
        try:
            return condition()
        except psycopg.OperationalError:
            return None

    return safely


def executed(found: list[Any]) -> int:
    """Return how many of the planned times have an execution."""
    return sum(status is not None for _, _, status in found)


def all_ended(found: list[Any]) -> list[Any] | None:
    """Return the rows once each execution has ended."""
    return found if all(status not in (None, "running") for _, _, status in found) else None
