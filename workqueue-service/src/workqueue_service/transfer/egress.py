"""The way out of the host: a SOCKS5 proxy (RFC 1928) through which rclone makes every connection to a site.

It looks each name up itself and connects to the very address that it has judged, so neither a name that changes its
address, nor a redirect, nor the data address of an FTP server leads to what is internal.
"""

import socket
import struct
import threading
from collections.abc import Collection
from contextlib import suppress

import structlog
from pydantic import IPvAnyNetwork

from chassis.addresses import AddressRefused, Resolve, pinned, resolve

log = structlog.get_logger()

BLOCK = 1 << 18
CONNECT_SECONDS = 20.0
LINGER_SECONDS = 30.0
"""How long a server may go on after the client has said all."""
VERSION, NO_LOGIN, CONNECT = 5, 0, 1
IPV4, NAME, IPV6 = 1, 3, 4
GRANTED, NOT_ALLOWED, UNREACHABLE, REFUSED, UNKNOWN_COMMAND = 0, 2, 4, 5, 7


class EgressProxy:
    """Listens on this host alone; lets through to the public internet and to ``allowed`` networks."""

    def __init__(self, allowed: Collection[IPvAnyNetwork], look_up: Resolve = resolve) -> None:
        self._allowed = allowed
        self._look_up = look_up
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:{1}".format(*self._listener.getsockname())
        self._thread = threading.Thread(target=self._accept, name="egress", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Take no more connections; those that are open end with rclone."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="egress-connection", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, ValueError, struct.error):
            client.settimeout(CONNECT_SECONDS)
            host, port = _wanted(client)
            status, server = self._connect(host, port)
            client.sendall(struct.pack("!BBBB4sH", VERSION, status, 0, IPV4, bytes(4), 0))
            if server is not None:
                with server:
                    _relay(client, server)

    def _connect(self, host: str, port: int) -> tuple[int, socket.socket | None]:
        try:
            address = pinned(host, port, self._allowed, self._look_up)
            return GRANTED, socket.create_connection((address, port), CONNECT_SECONDS)
        except AddressRefused:
            log.warning("address_refused", host=host, port=port)
            return NOT_ALLOWED, None
        except ConnectionRefusedError:
            return REFUSED, None
        except (OSError, UnicodeError):
            return UNREACHABLE, None


def _wanted(client: socket.socket) -> tuple[str, int]:
    """Return host and port of the connection that the client asks for; raises OSError when it asks for else."""
    _, methods = _read(client, "!BB")
    client.recv(methods, socket.MSG_WAITALL)
    client.sendall(bytes([VERSION, NO_LOGIN]))
    version, command, _, kind = _read(client, "!BBBB")
    if (version, command) != (VERSION, CONNECT):
        client.sendall(struct.pack("!BBBB4sH", VERSION, UNKNOWN_COMMAND, 0, IPV4, bytes(4), 0))
        raise ConnectionAbortedError
    if kind == NAME:
        host = client.recv(_read(client, "!B")[0], socket.MSG_WAITALL).decode("ascii")
    else:
        family, size = (socket.AF_INET, 4) if kind == IPV4 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, client.recv(size, socket.MSG_WAITALL))
    return host, _read(client, "!H")[0]


def _read(client: socket.socket, form: str) -> tuple[int, ...]:
    return struct.unpack(form, client.recv(struct.calcsize(form), socket.MSG_WAITALL))


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Pass bytes both ways until both sides have said all."""
    client.settimeout(None)
    server.settimeout(None)
    back = threading.Thread(target=_pass, args=(server, client), name="egress-answer", daemon=True)
    back.start()
    _pass(client, server)
    back.join(LINGER_SECONDS)
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)


def _pass(source: socket.socket, sink: socket.socket) -> None:
    buffer = memoryview(bytearray(BLOCK))
    with suppress(OSError):
        while size := source.recv_into(buffer):
            sink.sendall(buffer[:size])
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
