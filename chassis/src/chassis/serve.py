"""The HTTP server of a service: gunicorn with gevent workers."""

import gc
import logging
import os
import shutil
from collections.abc import Callable
from socket import socket

import gevent
from flask import Flask
from gevent import pywsgi
from gevent.pool import Pool
from gunicorn.app.base import BaseApplication
from gunicorn.http.wsgi import base_environ
from gunicorn.workers.ggevent import GeventWorker
from prometheus_client.multiprocess import mark_process_dead

from chassis.connection import Handler
from chassis.metrics import METRICS_DIRECTORY
from chassis.settings import Settings
from chassis.stopping import stop_waiting

CONNECTIONS = 4_096


class Worker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker around gevent's own HTTP server, which needs a fifth less time for a request.

    It ends when its requests are done instead of waiting for idle connections.
    """

    busy = 0

    def run(self) -> None:
        """Accept until told to stop, then let running requests finish inside the grace time."""
        servers = [self._server(sock) for sock in self.sockets]
        for server in servers:
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

    def _server(self, sock: socket) -> pywsgi.WSGIServer:
        server = pywsgi.WSGIServer(
            sock,
            application=self.wsgi,
            spawn=Pool(self.worker_connections),
            handler_class=Handler,
            log=None,
            error_log=logging.getLogger("chassis.serve"),
            environ={**base_environ(self.cfg), "wsgi.multithread": True},
        )
        server.worker = self
        server.max_accept = 1 if self.cfg.workers > 1 else 100
        return server


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
    try:
        _Application(
            make_app,
            {
                "bind": f"{settings.host}:{settings.port}",
                "proc_name": f"taskyard-{name}-api",
                "worker_class": "chassis.serve.Worker",
                "workers": settings.api_workers,
                "worker_connections": CONNECTIONS,
                "graceful_timeout": max(1, int(settings.shutdown_grace) - 1),
                "timeout": 60,
                "loglevel": "warning",
                "pre_fork": _share_memory,
                "worker_exit": lambda _arbiter, _worker: gc.unfreeze(),
                "child_exit": _forget_gauges,
                "on_exit": lambda _arbiter: gc.unfreeze(),
                "control_socket_disable": True,
                "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108
            },
        ).run()
    finally:
        if shared := os.environ.get(METRICS_DIRECTORY):
            shutil.rmtree(shared, ignore_errors=True)


def _share_memory(_arbiter: object, _worker: object) -> None:
    """Leave what the parent has loaded alone, so that its pages stay common to parent and workers.

    Undone before a process ends: Python clears up badly after what it was told to leave alone.
    """
    gc.collect()
    gc.freeze()


def _forget_gauges(_arbiter: object, worker: Worker) -> None:
    """What a worker that has ended had counted remains; what it showed does not."""
    if METRICS_DIRECTORY in os.environ:
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
