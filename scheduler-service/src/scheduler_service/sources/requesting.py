"""One HTTP request to an address that is already decided."""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from time import monotonic
from urllib.parse import SplitResult

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

MAX_BODY = 16 * 1024
PORTS = {"http": 80, "https": 443}


class RequestFailed(Exception):
    """There is no answer, or not in time"""


@dataclass(frozen=True)
class Answer:
    """Status and the beginning of the body."""

    status: int
    body: str


class _Cut:
    """Ends a connection after some seconds; knows its socket, which the connection forgets when it reads the answer."""

    def __init__(self, connection: HTTPConnection, seconds: float) -> None:
        self.sock: socket.socket | None = None
        self._connection = connection
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Leave the connection as it is."""
        self._timer.cancel()

    def _end(self) -> None:
        sock = self.sock or self._connection.sock
        if sock is not None:
            with suppress(OSError):
                # Not of the class SSLSocket: that would take the layer from under a thread that reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def port_of(url: SplitResult) -> int:
    """Return the port that an address names or implies."""
    return url.port or PORTS[url.scheme]


def request(
    url: SplitResult, address: str, method: str, headers: Mapping[str, str], body: bytes | None, seconds: float
) -> Answer:
    """Ask ``address`` for what ``url`` names, without following anybody anywhere; raise :class:`RequestFailed`.

    The certificate must be that of the host in ``url``. After ``seconds`` it is over, however slowly the peer drips.
    """
    deadline = monotonic() + seconds
    connection = _connection(url, address, seconds)
    cut = _Cut(connection, seconds)
    try:
        cut.sock = _connected(connection)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request(
            method,
            target,
            body=body,
            headers={"Host": url.netloc, **headers},
            preload_content=False,
            decode_content=False,
        )
        response = connection.getresponse()
        content = response.read(MAX_BODY)
        if monotonic() >= deadline:
            raise TimeoutError
        return Answer(response.status, content.decode("utf-8", "replace"))
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        late = monotonic() >= deadline or isinstance(error, TimeoutError)
        raise RequestFailed(f"no answer within {seconds:g} s" if late else _reason(error)) from None
    finally:
        cut.cancel()
        connection.close()


def _connection(url: SplitResult, address: str, seconds: float) -> HTTPConnection:
    if url.scheme == "http":
        return HTTPConnection(address, port_of(url), timeout=seconds)
    return HTTPSConnection(
        address,
        port_of(url),
        timeout=seconds,
        server_hostname=url.hostname,
        assert_hostname=url.hostname,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
    )


def _connected(connection: HTTPConnection) -> socket.socket | None:
    connection.connect()
    return connection.sock


def _reason(error: Exception) -> str:
    return f"the request failed: {type(error).__name__}"
