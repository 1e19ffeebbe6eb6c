"""The processes of tracker-service, started as they run (DESIGN 8), beside a twin of auth-service."""

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import orjson
import psycopg
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from chassis.identity import Kind, Principal
from chassis.internal import service_token
from chassis.testing import Server, processes
from chassis.testing.processes import KEY
from chassis.testing.waiting import eventually

run = partial(processes.run, "tracker_service")
running = partial(processes.running, "tracker_service")
HEADERS = {"X-Worker-ID": "7", "X-Secret": "whatever"}
REPORT = {"scope": "s", "message": "m", "timestamp": 1}


class AuthTwin(ThreadingHTTPServer):
    """Confirms whatever it is asked about as worker 7."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked = 0
        self.key = Ed25519PrivateKey.generate()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def keys(self) -> dict[str, Any]:
        return {"keys": [{**orjson.loads(OKPAlgorithm.to_jwk(self.key.public_key())), "kid": "k"}]}

    def token(self) -> dict[str, str]:
        now = int(time.time())
        claims = Principal(Kind.WORKER, 7, "seven", created=1, version=1).claims()
        claims |= {"iss": "taskyard", "aud": "taskyard", "iat": now, "exp": now + 60}
        return {"access_token": jwt.encode(claims, self.key, "EdDSA", headers={"kid": "k"})}


class _Answers(BaseHTTPRequestHandler):
    server: AuthTwin

    def do_GET(self) -> None:
        self._answer(self.server.keys())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        self._answer(self.server.token())

    def _answer(self, value: Any) -> None:
        body = orjson.dumps(value)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def auth() -> Iterator[AuthTwin]:
    """The twin, serving."""
    with AuthTwin() as twin:
        thread = threading.Thread(target=twin.serve_forever)
        thread.start()
        yield twin
        twin.shutdown()
        thread.join()


@pytest.fixture
def environment(postgres_server: Server, auth: AuthTwin) -> dict[str, str]:
    """What a process needs; the broker is away."""
    return processes.environment(postgres_server.create_database(), TASKYARD_AUTH_URL=auth.url)


def count(environment: dict[str, str], table: str) -> int:
    with psycopg.connect(environment["TASKYARD_DATABASE_URL"]) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_process_that_ends_in_order_has_stored_every_report(environment: dict[str, str], auth: AuthTwin) -> None:
    """spec: tracker Q-48; one worker costs one question to auth-service (DESIGN 4)."""
    assert run(environment, "migrate").returncode == 0
    assert run(environment, "migrate").returncode == 0
    with running(environment, "api") as base, requests.Session() as session:
        assert session.get(base + "/readyz", timeout=5).json() == {"ready": True}
        for _ in range(100):
            answer = session.post(base + "/log/info", json=REPORT, headers=HEADERS, timeout=5)
            assert answer.json() == {"ok": True}
    assert count(environment, "log_entry") == 100
    assert auth.asked == 1


def test_a_changed_worker_is_forgotten_in_a_real_process(environment: dict[str, str], auth: AuthTwin) -> None:
    """The listener lives in the same process as gevent's requests (DESIGN 4)."""
    run(environment, "migrate")
    with running(environment, "api") as base, requests.Session() as session:

        def asked() -> int:
            session.post(base + "/log/info", json=REPORT, headers=HEADERS, timeout=5)
            return auth.asked

        eventually(lambda: asked() == asked())  # until the listener hears, nothing is remembered
        before = auth.asked
        record = {"alias": "a", "paused": True, "created": 1, "version": 2}
        service = {"Authorization": f"Bearer {service_token(KEY, 'auth', 'tracker')}"}
        answer = session.post(base + "/internal/workers/7", json=record, headers=service, timeout=5)
        assert answer.status_code == 200
        eventually(lambda: asked() == before + 1)
        assert session.get(base + "/worker/stats", timeout=5).json()["content"]["stats"][0]["paused"] is True


def test_the_background_process_works_without_its_broker(environment: dict[str, str]) -> None:
    """DESIGN 5: losing the broker costs latency, never work."""
    run(environment, "migrate")
    with psycopg.connect(environment["TASKYARD_DATABASE_URL"]) as connection:
        connection.execute(
            "INSERT INTO project (priority, name, clone_url, git_repo, version, motd, public, hidden, assign_rate,"
            " submit_rate) VALUES (0, 'p', '', '', '', '', true, false, 1, 1)"
        )
    with running({**environment, "TASKYARD_SNAPSHOT_INTERVAL": "1"}, "worker") as base:
        assert requests.get(base + "/readyz", timeout=5).json() == {"ready": True}
        eventually(lambda: count(environment, "snapshot"))


def test_settings_that_are_missing_are_named(environment: dict[str, str]) -> None:
    """The process says what it needs, and nothing of what it has."""
    del environment["TASKYARD_AUTH_URL"]
    ended = run(environment, "api")
    assert ended.returncode == os.EX_CONFIG
    assert "TASKYARD_AUTH_URL" in ended.stderr
    assert KEY not in ended.stderr + ended.stdout
