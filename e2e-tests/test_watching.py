"""What people see of a running house: the stream of events, the audit, dead letters."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from actors import PASSWORD, Machine, Person

from chassis.events.broker import open_broker
from embedded.house import House


def embedded(house: House, *words: str) -> subprocess.Popen[str]:
    """Run a command of the launcher beside the house."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKYARD_")}
    return subprocess.Popen(
        [sys.executable, "-m", "embedded", *words],
        env={**environment, "TASKYARD_DATA": str(house.data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )


def said(house: House, *words: str) -> str:
    process = embedded(house, *words)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    return output


@pytest.fixture
def tap(house: House) -> Iterator[subprocess.Popen[str]]:
    process = embedded(house, "events", "auth.account.#")
    yield process
    process.terminate()
    process.communicate(timeout=10)


def test_the_tap_prints_what_happens(admin: Person, gate: str, tap: subprocess.Popen[str]) -> None:
    assert tap.stdout
    while "connected" not in tap.stdout.readline():
        assert tap.poll() is None
    name = Person.register(gate).username
    while f'"username":"{name}"' not in (line := tap.stdout.readline()):
        assert tap.poll() is None
    assert "  auth       auth.account.created" in line
    assert PASSWORD not in line


def eventually_listed(admin: Person, query: str, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 20
    while True:
        answer = admin.get(f"/auth/audit?{query}")
        assert answer.status_code == 200, answer.text
        if len(events := answer.json()["events"]) >= count:
            return list(events)
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_audit_tells_who_did_what_in_every_service(admin: Person, gate: str) -> None:
    person, machine = Person.register(gate), Machine.create(gate)
    person.post("/login", {"username": person.username, "password": "wrong password"})
    project = admin.create_project()
    admin.admit(machine, project)
    admin.post("/worker/set_paused", {"worker": machine.id, "paused": True})
    admin.post(f"/manager/set_role_for_project/{project}", {"manager": person.id, "role": 2})
    about_worker = eventually_listed(admin, f"worker={machine.id}", 3)
    assert sorted((event["type"], event["by"]) for event in about_worker) == [
        ("auth.worker.updated", admin.id),
        ("tracker.access.granted", admin.id),
        ("tracker.access.requested", None),
    ]
    about_person = eventually_listed(admin, f"account={person.id}", 3)
    assert {event["type"] for event in about_person} == {
        "auth.account.created",
        "auth.login.failed",
        "tracker.role.changed",
    }
    assert person.get("/auth/audit").status_code == 403


def test_dead_letters_of_the_running_house_can_be_looked_after(house: House) -> None:
    broker = open_broker(house.env("tracker")["TASKYARD_AMQP_URL"])
    with broker.session() as connection:
        broker.send(broker.producer(connection), broker.queue_name("tracker"), "{not json", direct=True)
    deadline = time.monotonic() + 20
    while not (listed := said(house, "service", "tracker", "dead-letters", "list")):
        assert time.monotonic() < deadline
    letter = next(line for line in listed.splitlines() if "InvalidEvent: not JSON" in line).split()[0]
    assert "{not json" in said(house, "service", "tracker", "dead-letters", "show", letter)
    assert said(house, "service", "tracker", "dead-letters", "drop", letter) == "1 dropped\n"
    assert said(house, "service", "tracker", "dead-letters", "list") == ""
