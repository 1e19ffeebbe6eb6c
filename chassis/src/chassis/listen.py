"""Hears PostgreSQL notifications on a connection of its own, for as long as the process lives."""

import threading
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql

log = structlog.get_logger()

PROBE_SECONDS = 2.0
RECONNECT_SECONDS = 0.5

Handler = Callable[[str], None]


class Listener:
    """Calls a handler for each notification of its channel.

    Notifications are lost while the connection is down, so whoever listens says what to do about that:
    ``missed`` is called whenever the connection stands (again), before the first notification.
    Handlers must be quick and must not raise.
    """

    def __init__(self, dsn: str, name: str = "listener") -> None:
        self._dsn = dsn
        self._name = name
        self._handlers: dict[str, Handler] = {}
        self._missed: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def on(self, channel: str, handler: Handler, *, missed: Callable[[], None]) -> None:
        """Hear ``channel``; ``handler`` gets the payload. Only before :meth:`start`."""
        self._handlers[channel] = handler
        self._missed.append(missed)

    def start(self) -> None:
        """Begin to listen in the background; returns at once."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End within ``timeout`` seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    def wait_until_listening(self, timeout: float) -> bool:
        """Return whether the connection stands, after at most ``timeout`` seconds."""
        return self._listening.wait(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                log.warning("listener_disconnected", listener=self._name, error=type(error).__name__)
            self._listening.clear()
            self._stopping.wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with psycopg.connect(
            self._dsn, autocommit=True, application_name=f"taskyard-{self._name}", connect_timeout=5
        ) as connection:
            for channel in self._handlers:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            for missed in self._missed:
                missed()
            self._listening.set()
            while not self._stopping.is_set():
                self._hear(connection)

    def _hear(self, connection: psycopg.Connection) -> None:
        """Pass on what arrives; then ask the server whether it is still there, as silence does not tell."""
        for notification in connection.notifies(timeout=PROBE_SECONDS):
            self._handlers[notification.channel](notification.payload)
            if self._stopping.is_set():
                return
        connection.execute("SELECT 1")
