"""A connection that a test can cut."""

import selectors
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from chassis.testing.waiting import eventually


class Cable:
    """A TCP relay that can be cut and mended."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port or {"amqp": 5672}.get(parts.scheme, 5432))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        user, at, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))
        self.whole = True
        self.refused = 0
        self._ends: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        self.whole = False
        eventually(lambda: not self._ends)

    def mend(self) -> None:
        """Accept connections again."""
        self.whole = True

    def close(self) -> None:
        """Break everything for good."""
        self._closing.set()
        self._thread.join()
        self._listener.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            for key, _ in self._selector.select(timeout=0.02):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._ends:
                    self._pump(key.fileobj)
            if not self.whole:
                self._drop_all()
        self._drop_all()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if not self.whole:
            self.refused += 1
            near.close()
            return
        far = socket.create_connection(self._target)
        self._ends |= {near: far, far: near}
        for end in (near, far):
            self._selector.register(end, selectors.EVENT_READ)

    def _pump(self, end: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = end.recv(65536)
            self._ends[end].sendall(data)
        if not data:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        for side in (end, self._ends.pop(end)):
            self._ends.pop(side, None)
            self._selector.unregister(side)
            side.close()

    def _drop_all(self) -> None:
        while self._ends:
            self._drop(next(iter(self._ends)))
