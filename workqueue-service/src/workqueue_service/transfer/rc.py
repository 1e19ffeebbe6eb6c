"""A client of rclone's remote control, over the Unix socket of the daemon."""

import base64
import http.client
import socket
import threading
from typing import Any

import orjson

from workqueue_service.transfer.errors import TemporaryError, TransferError, from_rclone

Json = dict[str, Any]

QUICK_SECONDS = 10.0


class RcloneLost(TemporaryError):
    """rclone ended in the middle of the attempt"""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("rclone", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Rc:
    """Calls remote control commands; safe for many threads, each of which keeps one connection."""

    def __init__(self, socket_path: str, user: str, password: str) -> None:
        self._path = socket_path
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Content-Type": "application/json", "Authorization": f"Basic {token}"}
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self.lost = False
        """Whether the daemon was found to be gone; another one gets a client of its own."""

    def close(self) -> None:
        """Close the connections of all threads; only when the daemon has ended."""
        for connection in self._connections:
            connection.close()

    def call(self, command: str, body: Json, timeout: float = QUICK_SECONDS) -> Json:
        """Return the answer to ``command`` within ``timeout`` seconds.

        Raises the error that rclone's message stands for, or :class:`RcloneLost` when the daemon is gone. The answer
        to a failed call repeats its input, credentials included, so nothing but the message leaves this method.
        """
        status, answer = self._exchange(command, orjson.dumps(body), timeout)
        if status != 200:
            raise error_of(answer)
        return answer

    def batch(self, calls: list[Json], concurrency: int, timeout: float) -> list[Json | TransferError]:
        """Run several commands (their name under ``_path``) in one request; return answers and errors in order."""
        answer = self.call("job/batch", {"inputs": calls, "concurrency": concurrency}, timeout)
        return [error_of(result) if "error" in result else result for result in answer["results"]]

    def _exchange(self, command: str, body: bytes, timeout: float) -> tuple[int, Json]:
        """Send a call; again on a new connection when an old one had been closed, as idle ones are after an hour."""
        connection = self._connection(timeout)
        is_old = connection.sock is not None
        try:
            connection.request("POST", "/" + command, body, self._headers)
            response = connection.getresponse()
            return response.status, orjson.loads(response.read())
        except TimeoutError:
            connection.close()
            raise TemporaryError(f"rclone did not answer within {timeout:.0f} s") from None
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError):
            connection.close()
        if is_old:
            return self._exchange(command, body, timeout)
        self.lost = True
        raise RcloneLost(str(RcloneLost.__doc__))

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _UnixConnection(self._path, timeout)
            self._connections.append(connection)
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection


def error_of(answer: Json) -> TransferError:
    """Return the error that a failed answer stands for."""
    return from_rclone(str(answer.get("error", "rclone gave no reason")))
