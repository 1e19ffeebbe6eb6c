"""The HTTP server of a service: gunicorn with gevent workers."""

import os
import shutil
import tempfile
from collections.abc import Callable

import gevent
from flask import Flask
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.app.base import BaseApplication
from gunicorn.http.message import Request
from gunicorn.workers.ggevent import GeventWorker

from chassis.settings import Settings
from chassis.stopping import stop_waiting

CONNECTIONS = 4_096
KEEPALIVE_SECONDS = 300  # longer than the gate keeps an idle connection, so that the gate is the one to close it


class Worker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker, which ends when its requests are done instead of waiting for idle connections."""

    busy = 0

    def handle_request(self, listener: object, request: Request, client: object, address: object) -> object:
        """Serve one request and count it as running meanwhile."""
        self.busy += 1
        try:
            return super().handle_request(listener, request, client, address)
        finally:
            self.busy -= 1

    def run(self) -> None:
        """Accept until told to stop, then let running requests finish inside the grace time."""
        servers = [
            StreamServer(sock, handle=self._handler(sock), spawn=Pool(self.worker_connections)) for sock in self.sockets
        ]
        for server in servers:
            server.max_accept = 1 if self.cfg.workers > 1 else 100
            server.start()
        while self.alive:
            self.notify()
            gevent.sleep(0.5)
        for server in servers:
            server.close()
        stop_waiting()
        with gevent.Timeout(self.cfg.graceful_timeout, False):
            while self.busy:
                self.notify()
                gevent.sleep(0.05)

    def _handler(self, listener: object) -> Callable[[object, object], None]:
        def handle(client: object, address: object) -> None:
            self.handle(listener, client, address)

        return handle


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(self, make_app: Callable[[], Flask], options: dict[str, object]) -> None:
        self._make_app = make_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()


def run_api(make_app: Callable[[], Flask], settings: Settings, name: str) -> None:
    """Serve the application until SIGTERM; never returns. gevent must have patched the process already."""
    metrics_dir = _share_metrics() if settings.api_workers > 1 else None
    try:
        _Application(
            make_app,
            {
                "bind": f"{settings.host}:{settings.port}",
                "proc_name": f"taskyard-{name}-api",
                "worker_class": "chassis.serve.Worker",
                "workers": settings.api_workers,
                "worker_connections": CONNECTIONS,
                "keepalive": KEEPALIVE_SECONDS,
                "graceful_timeout": max(1, int(settings.shutdown_grace) - 1),
                "timeout": 60,
                "limit_request_field_size": 16_384,
                "loglevel": "warning",
                "control_socket_disable": True,
                "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108
            },
        ).run()
    finally:
        if metrics_dir:
            shutil.rmtree(metrics_dir, ignore_errors=True)


def _share_metrics() -> str:
    """Let several workers add up their metrics in files: prometheus_client reads this variable when it is imported."""
    return os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="taskyard-metrics-"))
