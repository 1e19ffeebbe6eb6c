"""The background process of a service: components that run until SIGTERM, and a small page server beside them."""

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

import structlog

from chassis import metrics
from chassis.database import Database
from chassis.errors import ApiError
from chassis.health import Check, readiness

log = structlog.get_logger()


class Component(Protocol):
    """Something that runs in the background."""

    def start(self) -> None:
        """Begin to run; returns at once."""

    def stop(self, timeout: float) -> None:
        """Take nothing new, finish what runs, return within ``timeout`` seconds."""


class Periodic:
    """Runs a job every ``interval`` seconds, in one process of the service at a time.

    A failure is logged and the next turn tries again.
    """

    def __init__(self, name: str, interval: float, job: Callable[[], object]) -> None:
        self.name = name
        self._interval = interval
        self._job = job
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first turn comes after one interval."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Finish the running turn."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self._job()
            except ApiError as error:
                log.warning("periodic_job_postponed", job=self.name, reason=error.message)
            except Exception:
                log.exception("periodic_job_failed", job=self.name)


def exclusively(database: Database, lock: int, job: Callable[[], object]) -> Callable[[], None]:
    """Return ``job`` so that of all processes on one database one runs it at a time; the others skip the turn."""

    def guarded() -> None:
        with database.transaction() as tx:
            # The job may be long and works on other connections.
            tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            if tx.value("SELECT pg_try_advisory_xact_lock(%s)", [lock]):
                job()

    return guarded


class WorkerProcess:
    """Starts components, serves ``/healthz``, ``/readyz`` and ``/metrics``, and stops on SIGTERM or SIGINT."""

    def __init__(
        self, components: Sequence[Component], checks: Mapping[str, Check], host: str, port: int, grace: float
    ) -> None:
        self._components = components
        self._grace = grace
        self._stopping = threading.Event()
        self._server = _page_server(host, port, checks)

    def run(self) -> None:
        """Run until a signal says stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        threading.Thread(target=self._server.serve_forever, name="pages", daemon=True).start()
        for component in self._components:
            component.start()
        log.info("worker_started", components=len(self._components))
        self._stopping.wait()
        self._stop()

    def _stop(self) -> None:
        deadline = time.monotonic() + self._grace - 1
        for component in reversed(self._components):
            component.stop(max(0.1, deadline - time.monotonic()))
        self._server.shutdown()
        log.info("worker_stopped")


def _page_server(host: str, port: int, checks: Mapping[str, Check]) -> ThreadingHTTPServer:
    def page(path: str) -> tuple[int, bytes, str]:
        if path == "/healthz":
            return 200, b'{"alive":true}', "application/json"
        if path == "/readyz":
            return *readiness(checks), "application/json"
        if path == "/metrics":
            body, headers = metrics.page()
            return 200, body, headers["Content-Type"]
        return 404, b"Not found", "text/plain"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, media_type = page(self.path)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes are not worth a line each."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    return server
