"""Several transfer workers side by side, each a process of its own: they share the work, and none does it twice."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from actors import Person
from share import Share

from chassis.testing.waiting import eventually
from embedded.house import House
from embedded.ports import free_port

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

QUEUE = "/workqueue/api/v1.0"
MORE = 3
LARGE_FILES, SMALL_FILES = 30, 200
LARGE = 6_000_000
SLOW = 3_000_000
"""Bytes per second of a file; rclone lets the first 4 MiB pass at once."""


def page(port: int, path: str) -> str:
    """Return a page of a worker, empty while there is none."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}{path}", timeout=10)
    except requests.ConnectionError:
        return ""
    return answer.text if answer.ok else ""


def copied(port: int) -> int:
    """Return how many copies a worker has done."""
    found = re.search(r'transfer_attempts_total\{result="done",type="COPY"\} (\d+)', page(port, "/metrics"))
    return int(found[1]) if found else 0


@pytest.fixture
def ports(house: House) -> Iterator[list[int]]:
    """More workers of the house than it has itself; their ports."""
    ports = [free_port() for _ in range(MORE)]
    command = [sys.executable, "-m", "workqueue_service", "transfer"]
    running = [
        subprocess.Popen(command, env=house.env("workqueue") | {"TASKYARD_PORT": str(port)}, stdout=subprocess.DEVNULL)
        for port in ports
    ]
    try:
        eventually(lambda: all(page(port, "/readyz") for port in ports), 120)
        yield ports
    finally:
        for process in running:
            process.terminate()
        assert [process.wait(30) for process in running] == [0] * MORE


def test_they_share_a_tree(gate: str, share: Share, ports: list[int]) -> None:
    person = Person.register(gate)
    source, target = (share.site(person, f"{person.username}/{name}") for name in ("source", "target"))
    for number in range(LARGE_FILES + SMALL_FILES):
        write(source.path / "tree" / str(number), LARGE if number < LARGE_FILES else number)
    body = {
        "src_siteid": source.id, "src_filepath": "/tree", "dst_siteid": target.id, "dst_filepath": "/tree",
        "extra_opts": {"bandwidth": SLOW},
    }  # fmt: skip
    job = person.post(f"{QUEUE}/copy", body).json()["id"]
    eventually(lambda: person.get(f"{QUEUE}/jobs/{job}/status").json()["status"] == "DONE", 200)
    found = person.get(f"{QUEUE}/jobs/{job}/elements?fields=id,attempts").json()
    assert [each["attempts"] for each in found] == [1] * (1 + LARGE_FILES + SMALL_FILES)
    done = [copied(port) for port in ports]
    assert sum(count > 0 for count in done) > 1, done
    # The rest was done by the house's own.
    assert sum(done) <= LARGE_FILES + SMALL_FILES
    for path in (source.path / "tree").iterdir():
        assert (target.path / "tree" / path.name).read_bytes() == path.read_bytes()


def write(path: Path, size: int) -> None:
    """Write a file of chance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
