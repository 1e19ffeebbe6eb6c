"""What the gate refuses: too big, too many, too fast."""

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def services(start_service):
    return {name: start_service(name) for name in ("auth", "tracker", "scheduler", "workqueue", "poller")}


@pytest.fixture(scope="module")
def gate(start_gate, services):
    addresses = {f"upstream_{name}": service.address for name, service in services.items()}
    return start_gate(**addresses, gate_throttle_burst=5, gate_throttle_rate=0.5, gate_concurrency=2)


def _chunks(size):
    return iter([b"x" * 65536] * (size // 65536))


def test_body_up_to_the_limit_arrives_whole(gate):
    assert gate.post("/task/submit", b"x" * 4 * MIB).json["size"] == 4 * MIB
    assert gate.post("/task/submit", _chunks(4 * MIB)).json["size"] == 4 * MIB
    assert gate.post("/task/bulk_submit", b"x" * 64 * MIB).json["size"] == 64 * MIB


@pytest.mark.parametrize(
    ("path", "limit", "body"),
    [
        ("/task/submit", 4 * MIB, {"ok": False, "message": "The request body is too large"}),
        ("/api/task/submit", 4 * MIB, {"ok": False, "message": "The request body is too large"}),
        ("/poller/update/", 1 * MIB, {"error": "The request body is too large"}),
        ("/workqueue/api/v1.0/jobs", 64 * MIB, {"error": "The request body is too large"}),
        (
            "/v1/functions",
            64 * MIB,
            {"faultcode": "Client", "faultstring": "The request body is too large", "debuginfo": None},
        ),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_refused_in_the_style_of_the_route(gate, path, limit, body, chunked):
    answer = gate.post(path, _chunks(limit + 65536) if chunked else b"x" * (limit + 1))
    assert (answer.status, answer.json) == (413, body)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [{"X-Big": "a" * 20_000}, {f"X-Many-{number}": "a" for number in range(150)}],
    ids=["long", "many"],
)
def test_headers_over_the_limit_are_refused_in_every_style_at_once(gate, headers):
    answer = gate.get("/task/get/1", headers)
    assert answer.status == 431
    assert answer.json["ok"] is False
    assert answer.json["message"] == answer.json["faultstring"] == answer.json["error"]


def test_ordinary_headers_pass(gate):
    assert gate.get("/task/get/1", {"Authorization": "Bearer " + "a" * 8000}).status == 200


@pytest.mark.parametrize("head", [b"nonsense\r\n\r\n", b"GET /task/%00 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_broken_request_is_refused(gate, head):
    with socket.create_connection(("127.0.0.1", gate.port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_two_lengths_for_one_body_are_refused(gate, services):
    """The classic way to smuggle a second request past a gate."""
    before = len(services["tracker"].seen)
    with socket.create_connection(("127.0.0.1", gate.port), timeout=10) as connection:
        connection.sendall(
            b"POST /task/submit HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /internal/x HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert len(services["tracker"].seen) == before


def test_login_is_throttled_per_address_and_recovers(gate, services):
    paths = ["/login", "/register", "/auth/token", "/api/login", "/api/auth/token"]
    answers = [gate.post(path, headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n, path in enumerate(paths * 2)]
    refused = [answer for answer in answers if answer.status == 429]
    assert 3 <= len(refused) <= 5, "one bucket of 5 for all paths, whatever address a client claims"
    assert refused[0].headers["retry-after"] == refused[0].headers["ratelimit-reset"] == "2"
    assert (refused[0].headers["ratelimit-limit"], refused[0].headers["ratelimit-remaining"]) == ("5", "0")
    assert refused[0].json == {"ok": False, "message": "Too many requests", "rate_limit_delay": 2.0}

    assert gate.get("/login").status == 200, "only attempts count"
    assert gate.get("/account").status == 200
    assert gate.post("/task/submit").status == 200
    with socket.create_connection(("127.0.0.1", gate.port), 10, ("127.0.0.2", 0)) as neighbour:
        neighbour.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert neighbour.recv(4096).startswith(b"HTTP/1.1 200 "), "another address has its own bucket"
    deadline = time.monotonic() + 10
    while (status := gate.post("/login").status) == 429 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 200


def test_two_hundred_connections_at_once_stay_open(gate):
    width, rounds = 200, 5
    together = threading.Barrier(width)

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=60)
        connection.connect()
        ours = connection.sock.getsockname()
        together.wait(60)
        for turn in range(rounds):
            connection.request("GET", f"/task/get/{number}?turn={turn}")
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            assert b"/task/get/%d?turn=%d" % (number, turn) in body
            assert connection.sock is not None
            assert connection.sock.getsockname() == ours
        connection.close()
        return rounds

    with ThreadPoolExecutor(width) as pool:
        assert sum(pool.map(client, range(width))) == width * rounds
