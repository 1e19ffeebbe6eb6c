"""The legacy poller through the gate, and a command that crosses the bus from one service to another."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from actors import Machine, Person, unique

from chassis.database import Database
from chassis.events import Event, commands
from chassis.events.broker import open_broker
from chassis.events.tap import bodies
from chassis.testing.contract_client import contract_checked
from embedded.house import House

ANSWERED = "tracker.command.answered"


@pytest.fixture
def poller(gate: str) -> Iterator[str]:
    """The poller's address, with no job that is new or in progress."""
    url = f"{gate}/poller/update/"
    settled = requests.post(url, data={"request": "all", "status": "complete"}, timeout=9)
    if settled.status_code == 401:
        pytest.skip("this system's poller does not trust this machine's address")
    assert settled.status_code == 200
    return url


def test_the_example_clients_walk(poller: str) -> None:
    """spec: poller 7, as the documented client does it: forms, no credential, no look at headers."""
    session = contract_checked(requests.Session())
    fields = {"model": "CMIP5", "frequency": "decadal", "foo": "bar"}
    user = unique("user")
    created = session.post(poller, data={"request": "new", "user": user, **fields}, timeout=9)
    assert created.status_code == 200
    job_id = created.json()["job_id"]

    following = session.get(poller, params={"request": "next"}, timeout=9)
    assert following.status_code == 200
    job = following.json()
    assert job
    assert {name: job[name] for name in fields} == fields
    assert (job["job_id"], job["user"], job["status"]) == (job_id, user, "new")
    moved = session.post(poller, data={"request": "in_progress", "job_id": job["job_id"]}, timeout=9)
    assert moved.status_code == 200

    running = session.get(poller, params={"request": "in_progress"}, timeout=9)
    assert [job["job_id"] for job in running.json()] == [job_id]
    for job in running.json():
        assert session.post(poller, data={"request": "complete", "job_id": job["job_id"]}, timeout=9).status_code == 200

    assert session.get(poller, params={"request": "in_progress"}, timeout=9).json() == {}
    assert session.get(poller, params={"request": "next"}, timeout=9).json() == {}
    done = session.get(poller, params={"request": "job", "job_id": job_id}, timeout=9).json()
    assert (done["status"], done["foo"]) == ("complete", "bar")


def test_a_waiting_client_hears_of_a_job_at_once(poller: str) -> None:
    """spec: poller 4"""
    heard: list[Any] = []
    ask = {"request": "next", "wait": "30"}
    waiting = threading.Thread(target=lambda: heard.append(requests.get(poller, params=ask, timeout=40).json()))
    waiting.start()
    job_id = requests.post(poller, json={"request": "new", "user": "ada"}, timeout=9).json()["job_id"]
    waiting.join(20)
    assert [job["job_id"] for job in heard] == [job_id]


@pytest.mark.parametrize("address", ["192.0.2.1", "127.0.0.1, 192.0.2.1"])
def test_a_forged_address_changes_nothing(poller: str, address: str) -> None:
    """spec: poller 5; the gate tells the true address, whatever the client says"""
    headers = {"X-Forwarded-For": address, "X-Real-IP": address, "X-Envoy-External-Address": address}
    assert requests.get(poller, params={"request": "all"}, headers=headers, timeout=9).status_code == 200


@pytest.fixture
def sender(house: House) -> Iterator[Database]:
    """The database of a service that sends commands; its worker process takes them to the broker."""
    with Database(house.env("poller")["TASKYARD_DATABASE_URL"], name="test") as database:
        yield database


def command(house: House, sender: Database, principal: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """Send tracker.task.submit twice, as a sender that got no answer does, and return the answer."""
    with closing(bodies(open_broker(house.env("poller")["TASKYARD_AMQP_URL"]), ANSWERED)) as tap:
        next(tap)
        data = {"principal": principal, "task": task}
        with sender.transaction() as tx:
            command_id = commands.send(tx, "tracker.task.submit", "test/1", data, service="poller")
        sender.execute("UPDATE pending_command SET next_at = now() WHERE command_id = %s", [command_id])
        answers = (Event.parse(body) for body in tap if body is not None)
        first, second = (next(a for a in answers if a.data["command_id"] == command_id) for _ in range(2))
    assert first.data == second.data
    with sender.transaction() as tx:
        assert commands.settle(tx, second)
    return dict(first.data)


def test_a_command_for_a_worker_becomes_a_task_that_is_leased(
    house: House, sender: Database, machine: Machine, project: int
) -> None:
    """DESIGN 5: over the bus, twice, to one task."""
    recipe = secrets.token_hex(8)
    task = {"project": project, "recipe": recipe, "max_retries": 3, "max_assign_time": 60}
    answer = command(house, sender, {"kind": "worker", "id": machine.id}, task)
    assert (answer["ok"], answer["project_id"], answer["reason"]) == (True, project, None)
    leased = machine.task(project)
    assert leased is not None
    assert leased["recipe"] == recipe
    assert machine.task(project) is None
    assert machine.release(leased["id"])


def test_a_command_needs_the_rights_of_its_principal(
    house: House, sender: Database, admin: Person, gate: str, project: int
) -> None:
    """spec: tracker 2.3, 2.4"""
    stranger = Person.register(gate)
    task = {"project": project, "recipe": "x"}
    for principal in ({"kind": "account", "id": stranger.id}, {"kind": "service", "id": 0}):
        answer = command(house, sender, principal, task)
        assert (answer["ok"], answer["reason"]) == (False, "unauthorized task submit")
    admin.post(f"/manager/set_role_for_project/{project}", {"manager": stranger.id, "role": 2})
    assert command(house, sender, {"kind": "account", "id": stranger.id}, task)["ok"]
