"""A service's own processes, started as they run (DESIGN 8)."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests

from chassis.testing.waiting import eventually

KEY = "k" * 40
"""The key between services."""


def environment(database_url: str, **settings: str) -> dict[str, str]:
    """Return what a process needs; broker and auth-service are away unless ``settings`` say where they are."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TASKYARD_")},
        "TASKYARD_PORT": str(port),
        "TASKYARD_DATABASE_URL": database_url,
        "TASKYARD_AMQP_URL": "amqp://127.0.0.1:1",
        "TASKYARD_AUTH_URL": "http://127.0.0.1:1",
        "TASKYARD_INTERNAL_KEY": KEY,
        **settings,
    }


def run(module: str, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the service to its end, for at most a minute."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


@contextmanager
def running(module: str, environment: Mapping[str, str], process: str) -> Iterator[str]:
    """Run a process until the block ends and give its address; it must then end by itself and in order."""
    child = subprocess.Popen([sys.executable, "-m", module, process], env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    base = f"http://127.0.0.1:{environment['TASKYARD_PORT']}"
    try:
        eventually(lambda: _answers(base + "/healthz"))
        yield base
        child.send_signal(signal.SIGTERM)
        assert child.wait(15) == 0
    finally:
        child.kill()
        child.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False
