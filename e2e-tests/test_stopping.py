"""Stopping the house cuts nobody off."""

import tempfile
import threading
import time
from pathlib import Path

import pytest
import requests
from actors import Machine, Person

from embedded import postgres
from embedded.house import House


@pytest.mark.embedded
def test_a_waiting_worker_gets_an_answer_when_the_house_stops(data_directory: Path) -> None:
    directory = Path(tempfile.mkdtemp(dir=data_directory))
    postgres.own(directory)
    answers: list[object] = []
    with House(directory / "stops") as house:
        project = Person.register(house.url).create_project(public=True)
        machine = Machine.create(house.url)
        machine.task(project)
        waiting = threading.Thread(target=lambda: answers.append(machine.get(f"/task/get/{project}?wait=30").json()))
        waiting.start()
        while 'route="/task/get/<project>"' not in requests.get(metrics(house), timeout=9).text:
            assert waiting.is_alive()
        began = time.monotonic()
    waiting.join()
    assert answers == [{"ok": False, "message": "No task available"}]
    assert time.monotonic() - began < 20


def metrics(house: House) -> str:
    """Return the address of the tracker's metrics."""
    return house.env("auth")["TASKYARD_TRACKER_URL"] + "/metrics"
