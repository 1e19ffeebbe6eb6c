"""A RabbitMQ of a test's own, which it may kill."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Self

from kombu import Connection

from chassis.testing.waiting import eventually
from embedded.ports import free_port

# The server itself: the command in the path changes its user, and with that whom a signal would reach.
SCRIPTS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")


def script() -> str | None:
    """Return where RabbitMQ's server is, ``None`` where it is not installed."""
    return next((path for path in SCRIPTS if os.access(path, os.X_OK)), shutil.which("rabbitmq-server"))


class Rabbit:
    """A node with ports and a directory of its own; ``url`` is its address."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="taskyard-rabbit-"))
        self._name = f"taskyard-{uuid.uuid4().hex[:8]}@localhost"
        self._port, self._inner_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self._process: subprocess.Popen[bytes] | None = None
        for name, text in (("rabbit.conf", f"listeners.tcp.1 = 127.0.0.1:{self._port}\n"), ("env", "")):
            (self._directory / name).write_text(text)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        shutil.rmtree(self._directory, ignore_errors=True)

    def start(self) -> None:
        """Start the node on what it had; returns when it answers."""
        server = script()
        assert server
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [server], env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        eventually(self._answers, 300)

    def kill(self) -> None:
        """Kill the node as a power cut would, and start it again."""
        self._end()
        self.start()

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self._directory / "log").read_text()[-2000:]
        try:
            with Connection(self.url, connect_timeout=10) as connection:
                connection.connect()
        except OSError:
            return False
        return True

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _environment(self) -> dict[str, str]:
        directory = str(self._directory)
        return {
            "PATH": os.environ["PATH"],
            "HOME": directory,
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_CONFIG_FILE": f"{directory}/rabbit.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{directory}/env",
            "RABBITMQ_DIST_PORT": str(self._inner_port),
            "RABBITMQ_MNESIA_BASE": directory,
            "RABBITMQ_LOG_BASE": directory,
            "RABBITMQ_PID_FILE": f"{directory}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{directory}/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-setcookie {uuid.uuid4().hex}",
        }
