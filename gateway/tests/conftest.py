"""A real Envoy in front of throw-away services."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import gateway

GATEWAY_DIR = Path(__file__).parents[1]
# pytest calls this file gateway.tests.conftest and makes a package `gateway` for that name: show it the real modules.
gateway.__path__.append(str(GATEWAY_DIR / "src" / "gateway"))


class EchoHandler(BaseHTTPRequestHandler):
    """Answers with what arrived; on `hold` in the path only when released, on `hang` never, on `break` it hangs up."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "EchoService"

    def handle_one_request(self) -> None:
        """Read one request of whatever method and answer it."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.counting:
            self.server.seen.append(self.path)
        if "hold" in self.path:
            self.server.released.wait(20)
        if "hang" in self.path:
            self.server.stopping.wait(20)
        if "hang" in self.path or "break" in self.path:
            self.close_connection = True
            return
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        content = {
            "service": self.server.name,
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "size": len(body),
        }
        data = json.dumps(content).encode()
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nServer: gunicorn\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(data) + (b"" if self.command == "HEAD" else data)
        )
        self.wfile.flush()


class EchoService(ThreadingHTTPServer):
    """One throw-away service on a port of its own."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, name: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), EchoHandler)
        self.name = name
        self.seen: list[str] = []
        self.counting = threading.Lock()
        self.stopping = threading.Event()
        self.released = threading.Event()
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gate that hangs up is no news here."""

    def stop(self) -> None:
        """Stop listening and hang up on everyone; stopping twice is fine."""
        if not self.stopping.is_set():
            self.stopping.set()
            self.shutdown()
            self.server_close()
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Answer:
    """One HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(port: int, method: str, path: str, headers: Any = None, body: Any = None) -> Answer:
    """Send one request with the path exactly as given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Wait until `condition` returns something true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {seconds} s")


@dataclass
class Gate:
    """A running gate."""

    process: subprocess.Popen[bytes]
    data: Path
    port: int = 0
    admin_port: int = 0
    log: Path = field(default_factory=Path)

    def send(self, method: str, path: str, headers: Any = None, body: Any = None) -> Answer:
        return send(self.port, method, path, headers, body)

    def get(self, path: str, headers: Any = None) -> Answer:
        return self.send("GET", path, headers)

    def post(self, path: str, body: Any = b"{}", headers: Any = None) -> Answer:
        return self.send("POST", path, headers, body)

    def admin(self, path: str) -> Answer:
        return send(self.admin_port, "GET", path)

    def wait_until_ready(self) -> None:
        """Find the ports that Envoy picked and wait until it listens."""
        address = self.data / "gateway" / "admin-address"
        self.admin_port = int(until(lambda: self._written(address), "admin address").rpartition(":")[2])
        until(lambda: self.admin("/ready").status == 200, "ready gate")
        listeners = self.admin("/listeners?format=json").json["listener_statuses"]
        gate = next(listener for listener in listeners if listener["name"] == "gate")
        self.port = gate["local_address"]["socket_address"]["port_value"]

    def _written(self, address: Path) -> str:
        assert self.process.poll() is None, self.log.read_text()
        return address.read_text() if address.exists() else ""

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def gate_environment(**settings: object) -> dict[str, str]:
    """Return this process's environment with the gate's settings replaced by `settings`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKYARD_")}
    return environment | {f"TASKYARD_{name.upper()}": str(value) for name, value in settings.items()}


def run_gateway(command: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m gateway <command>` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", command],
        env=gate_environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="session", name="run_gateway")
def _run_gateway() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run_gateway


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    return until


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """Return ports where nothing listens, all different."""

    def find(count: int) -> list[int]:
        with contextlib.ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in range(count)]
            for probe in probes:
                probe.bind(("127.0.0.1", 0))
            return [int(probe.getsockname()[1]) for probe in probes]

    return find


@pytest.fixture(scope="module")
def start_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Gate]]:
    """Start gates with the given settings; all end with the module."""
    gates: list[Gate] = []

    def start(command: str = "run", **settings: object) -> Gate:
        data = tmp_path_factory.mktemp("gate")
        log = data / "log"
        own = {"port": 0, "admin_port": 0, "data": data, "gate_concurrency": 1}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway", command],
                env=gate_environment(**own | settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        gates.append(Gate(process, data, log=log))
        gates[-1].wait_until_ready()
        return gates[-1]

    yield start
    for gate in gates:
        gate.stop()


@pytest.fixture(scope="module")
def start_service() -> Iterator[Callable[..., EchoService]]:
    """Start throw-away services; all end with the module."""
    services: list[EchoService] = []

    def start(name: str, port: int = 0) -> EchoService:
        services.append(EchoService(name, port))
        return services[-1]

    yield start
    for service in services:
        service.stop()


@pytest.fixture(scope="module")
def impatient_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gate's directory with time-outs of half a second."""
    directory = tmp_path_factory.mktemp("impatient")
    routes = (GATEWAY_DIR / "routes.toml").read_text()
    lines = ["timeout = 0.5" if line.startswith("timeout = ") else line for line in routes.splitlines()]
    (directory / "routes.toml").write_text("\n".join(lines))
    (directory / "envoy.yaml.j2").write_text((GATEWAY_DIR / "envoy.yaml.j2").read_text())
    return directory
