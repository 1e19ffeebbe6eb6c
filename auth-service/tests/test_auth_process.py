"""The processes of auth-service, started as they run (DESIGN 8)."""

import os
from functools import partial
from pathlib import Path

import pytest
import requests
from cryptography.fernet import Fernet

from chassis.testing import Server, processes
from chassis.testing.waiting import eventually

run = partial(processes.run, "auth_service")
running = partial(processes.running, "auth_service")


@pytest.fixture
def environment(postgres_server: Server) -> dict[str, str]:
    """What a process needs; the broker is away."""
    found = processes.environment(postgres_server.create_database(), TASKYARD_SECRET_KEY=Fernet.generate_key().decode())
    return {**found, "TASKYARD_AUTH_URL": f"http://127.0.0.1:{found['TASKYARD_PORT']}"}


def test_migrate_then_answer(environment: dict[str, str]) -> None:
    """Migrations run twice without harm, the API logs people in, a new signing key can be asked for."""
    assert run(environment, "migrate").returncode == 0
    assert run(environment, "migrate").returncode == 0
    with running(environment, "api") as base:
        assert requests.get(base + "/readyz", timeout=5).json() == {"ready": True}
        person = requests.Session()
        body = {"username": "myadmin", "password": "correct horse"}
        assert person.post(base + "/register", json=body, timeout=5).json() == {"ok": True}
        assert person.get(base + "/account", timeout=5).json()["content"]["logged_in"] is True
        assert requests.post(base + "/auth/token", json=body, timeout=5).status_code == 200
        kid = run(environment, "rotate-keys").stdout.split()[-1]
        eventually(lambda: kid in requests.get(base + "/auth/jwks.json", timeout=5).text)


def test_several_workers_add_up_what_they_count(environment: dict[str, str], tmp_path: Path) -> None:
    """Whichever answers ``/metrics`` speaks for all; nothing is left of where they did it."""
    assert run(environment, "migrate").returncode == 0
    place = tmp_path / "of-the-workers"
    place.mkdir()
    with running({**environment, "TASKYARD_API_WORKERS": "2", "TMPDIR": str(place)}, "api") as base:
        for _ in range(40):
            assert requests.get(base + "/nowhere", timeout=5).status_code == 404
        for _ in range(10):
            lines = requests.get(base + "/metrics", timeout=5).text.splitlines()
            (counted,) = [line for line in lines if line.startswith("http_requests_total{") and '"404"' in line]
            assert float(counted.rpartition(" ")[2]) == 40
    assert not list(place.iterdir())


def test_the_background_process_waits_for_its_broker(environment: dict[str, str]) -> None:
    """It is alive, says that it is not ready, and ends when told to."""
    assert run(environment, "migrate").returncode == 0
    with running(environment, "worker") as base:
        answer = requests.get(base + "/readyz", timeout=5)
        assert (answer.status_code, list(answer.json()["reasons"])) == (503, ["events"])


def test_a_missing_setting_is_named(environment: dict[str, str]) -> None:
    del environment["TASKYARD_SECRET_KEY"]
    ended = run(environment, "api")
    assert (ended.returncode, "TASKYARD_SECRET_KEY" in ended.stderr) == (os.EX_CONFIG, True)
    environment["TASKYARD_SECRET_KEY"] = "not a key"
    ended = run(environment, "api")
    assert (ended.returncode, "TASKYARD_SECRET_KEY" in ended.stderr) == (os.EX_CONFIG, True)
    assert "not a key" not in ended.stderr + ended.stdout
