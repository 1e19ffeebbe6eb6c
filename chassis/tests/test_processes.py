"""The processes of a service: they start, answer, and stop without losing a request."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from chassis.testing import Server

HERE = Path(__file__).parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@retry(retry=retry_if_exception_type(requests.ConnectionError), stop=stop_after_delay(20), wait=wait_fixed(0.05))
def answer(url: str) -> requests.Response:
    return requests.get(url, timeout=5)


class Process:
    """One running process of the demo service."""

    def __init__(self, role: str, environment: dict[str, str]) -> None:
        self.environment = environment
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "demo_service.py"), role],
            env={**os.environ, **environment, "TASKYARD_PORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for(self, line: str) -> None:
        """Read the output until ``line`` appears."""
        assert self.process.stdout
        while line not in self.process.stdout.readline():
            assert self.process.poll() is None

    def stop(self) -> str:
        """Send SIGTERM, wait for the end and return what was printed."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=9)
        return output


@pytest.fixture
def start(postgres_server: Server) -> Iterator[Callable[[str], Process]]:
    environment = {
        "TASKYARD_DATABASE_URL": postgres_server.create_database(),
        "TASKYARD_AMQP_URL": "amqp://127.0.0.1:1",
        "TASKYARD_AUTH_URL": "http://127.0.0.1:1",
        "TASKYARD_INTERNAL_KEY": "k" * 32,
    }
    started: list[Process] = []

    def run(role: str) -> Process:
        started.append(Process(role, environment))
        return started[-1]

    yield run
    for process in started:
        process.process.kill()
        process.process.communicate()


@contextmanager
def idle_connection(process: Process) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.get(process.url + "/healthz", timeout=5)
        yield session


def test_an_api_finishes_its_requests_and_ignores_idle_connections(start: Callable[[str], Process]) -> None:
    api = start("api")
    assert answer(api.url + "/clock").text == "1"
    with idle_connection(api):
        slow: list[str] = []
        request = threading.Thread(target=lambda: slow.append(requests.get(api.url + "/slow", timeout=5).text))
        request.start()
        api.wait_for("slow request began")
        output = api.stop()
        request.join()
    assert slow == ["done"]
    assert api.process.returncode == 0
    assert "Traceback" not in output


def test_an_api_lets_waiting_requests_answer_before_it_ends(start: Callable[[str], Process]) -> None:
    api = start("api")
    answer(api.url + "/healthz")
    polled: list[str] = []
    poll = threading.Thread(target=lambda: polled.append(requests.get(api.url + "/wait", timeout=9).text))
    poll.start()
    api.wait_for("long poll began")
    api.stop()
    poll.join()
    assert polled == ["True"]


def test_a_worker_runs_its_jobs_until_it_is_told_to_stop(start: Callable[[str], Process]) -> None:
    worker = start("worker")
    assert answer(worker.url + "/readyz").json() == {"ready": True}
    assert answer(worker.url + "/nothing").status_code == 404
    worker.wait_for("tick")
    assert "worker_stopped" in worker.stop()
    assert worker.process.returncode == 0


def test_every_worker_repeats_commands_that_nobody_answered(start: Callable[[str], Process]) -> None:
    """Also one of a service that never heard of commands."""
    migrate = start("migrate")
    migrate.process.communicate(timeout=30)
    with psycopg.connect(migrate.environment["TASKYARD_DATABASE_URL"], autocommit=True) as database:
        data = '{"principal": {"kind": "service", "id": 0}, "task": {}}'
        database.execute(
            "INSERT INTO pending_command (command_id, type, subject, service, data, next_at)"
            " VALUES (gen_random_uuid(), 'tracker.task.submit', 'x', 'demo', %s, now())",
            [data],
        )
        start("worker")
        deadline = time.monotonic() + 30
        while database.execute("SELECT count(*) FROM outbox").fetchone() != (1,):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_migrating_twice_is_fine(start: Callable[[str], Process]) -> None:
    for _ in range(2):
        migrate = start("migrate")
        migrate.process.communicate(timeout=30)
        assert migrate.process.returncode == 0
