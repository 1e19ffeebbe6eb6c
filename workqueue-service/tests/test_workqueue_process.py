"""The processes of workqueue-service, started as they run (DESIGN 8)."""

import os
import threading
import time
from functools import partial

import psycopg
import pytest
import requests
from cryptography.fernet import Fernet

from chassis.internal import service_token
from chassis.testing import Server, processes
from chassis.testing.processes import KEY
from chassis.testing.waiting import eventually
from workqueue_service.testing import API

ASK = {"types": [0], "transports": ["file"]}


run = partial(processes.run, "workqueue_service")
running = partial(processes.running, "workqueue_service")


@pytest.fixture
def environment(postgres_server: Server) -> dict[str, str]:
    """What a process needs; broker and auth-service are away."""
    return processes.environment(
        postgres_server.create_database(),
        TASKYARD_SECRET_KEY=Fernet.generate_key().decode(),
        TASKYARD_WORKQUEUE_SWEEP="0.2",
        TASKYARD_WORKQUEUE_FILE_ROOTS="/srv/a:/srv/b",
    )


def credential() -> dict[str, str]:
    """Headers of the service itself, made when they are needed: they are good for a minute."""
    return {"Authorization": f"Bearer {service_token(KEY, 'workqueue', 'workqueue')}"}


def submit(environment: dict[str, str]) -> None:
    """Store a job as the service would, and wake whoever waits."""
    with psycopg.connect(environment["TASKYARD_DATABASE_URL"]) as connection:
        connection.execute(
            "INSERT INTO site (owner_id, name, transport, endpoints, login_required)"
            " VALUES (1, 'a', 'file', ARRAY['file:///srv/a'], false)"
        )
        connection.execute(
            "INSERT INTO job (user_id, type, protocol, priority, src_siteid, src_filepath) VALUES (1, 0, 0, 5, 1, '/')"
        )
        connection.execute("INSERT INTO element (job_id, id, type, src_filepath, max_tries) VALUES (1, 0, 0, '/', 1)")
        connection.execute("SELECT pg_notify('workqueue_ready', '')")


def test_a_worker_that_waits_is_woken(environment: dict[str, str]) -> None:
    """The listener lives in the same process as gevent's requests; SIGTERM does not wait for those who wait."""
    assert run(environment, "migrate").returncode == 0
    assert run(environment, "migrate").returncode == 0
    with running(environment, "api") as base:
        assert requests.get(base + "/readyz", timeout=5).json() == {"ready": True}
        heard: list[tuple[int, float]] = []

        def wait() -> None:
            answer = requests.post(f"{base}{API}/worker/jobs?wait=40", json=ASK, headers=credential(), timeout=60)
            heard.append((answer.status_code, time.monotonic()))

        for status in (200, 404):
            waiting = threading.Thread(target=wait)
            waiting.start()
            # The request has to be there before the work is.
            time.sleep(0.5)
            assert len(heard) == (status == 404)
            if status == 200:
                submitted = time.monotonic()
                submit(environment)
                waiting.join(20)
                assert heard[0][0] == 200
                assert heard[0][1] - submitted < 5
    waiting.join(20)
    assert heard[1][0] == 404


def test_the_background_process_takes_work_back(environment: dict[str, str]) -> None:
    """DESIGN 5: also without its broker."""
    run(environment, "migrate")
    submit(environment)
    with psycopg.connect(environment["TASKYARD_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("UPDATE element SET status = 3, lease_until = now(), lease_seconds = 1, holder = 'gone'")
        with running(environment, "worker"):
            eventually(lambda: connection.execute("SELECT status FROM job").fetchone() == (2,))
        assert connection.execute("SELECT count(*) FROM attempt").fetchone() == (1,)


def test_settings_that_are_missing_are_named(environment: dict[str, str]) -> None:
    """The process says what it needs, and nothing of what it has."""
    environment["TASKYARD_SECRET_KEY"] = "no key"
    environment["TASKYARD_WORKQUEUE_FILE_ROOTS"] = "relative"
    ended = run(environment, "api")
    assert ended.returncode == os.EX_CONFIG
    assert "TASKYARD_SECRET_KEY" in ended.stderr
    assert "TASKYARD_WORKQUEUE_FILE_ROOTS" in ended.stderr
    assert KEY not in ended.stderr + ended.stdout
