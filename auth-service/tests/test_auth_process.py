"""The processes of auth-service, started as they run (DESIGN 8)."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from cryptography.fernet import Fernet

from chassis.testing import Server


@pytest.fixture
def environment(postgres_server: Server) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TASKYARD_")},
        "TASKYARD_PORT": str(port),
        "TASKYARD_DATABASE_URL": postgres_server.create_database(),
        "TASKYARD_AMQP_URL": "amqp://127.0.0.1:1",
        "TASKYARD_AUTH_URL": f"http://127.0.0.1:{port}",
        "TASKYARD_INTERNAL_KEY": "k" * 40,
        "TASKYARD_SECRET_KEY": Fernet.generate_key().decode(),
    }


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auth_service", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(environment: dict[str, str], process: str) -> Iterator[str]:
    """Run a process until the block ends; it must then end by itself and in order."""
    child = subprocess.Popen([sys.executable, "-m", "auth_service", process], env=environment)
    base = f"http://127.0.0.1:{environment['TASKYARD_PORT']}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                requests.get(base + "/healthz", timeout=1)
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield base
        child.send_signal(signal.SIGTERM)
        assert child.wait(15) == 0
    finally:
        child.kill()
        child.wait()


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
        deadline = time.monotonic() + 15
        while kid not in requests.get(base + "/auth/jwks.json", timeout=5).text:
            assert time.monotonic() < deadline
            time.sleep(0.2)


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
