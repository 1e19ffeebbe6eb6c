"""Looks after a service's dead letters: list them, read one, send one again, drop one."""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import orjson
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message

from chassis.events.broker import Broker

MOST = 10_000


@dataclass(frozen=True)
class DeadLetter:
    """A delivery that was put aside. ``type`` and ``event_id`` are ``None`` when the body is no envelope."""

    id: str
    reason: str
    died_at: str | None
    type: str | None
    event_id: str | None
    body: str

    @classmethod
    def read(cls, message: Message) -> Self:
        """Make sense of a message; its id is a hash of the body, the same at every look."""
        body = message.body if isinstance(message.body, str) else bytes(message.body).decode("utf-8", "replace")
        envelope = _envelope(body)
        return cls(
            id=hashlib.sha256(body.encode()).hexdigest()[:16],
            reason=message.headers.get("reason") or _brokers_reason(message.headers),
            died_at=message.headers.get("died_at"),
            type=envelope.get("type"),
            event_id=envelope.get("id"),
            body=body,
        )


class DeadLetters:
    """The dead letters of one service, on either broker."""

    def __init__(self, broker: Broker, service: str) -> None:
        self._broker = broker
        self._service = service

    def list(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters; they stay where they are."""
        with self._broker.session() as connection, self._taken(connection, limit) as messages:
            return [DeadLetter.read(message) for message in messages]

    def inspect(self, id_: str) -> DeadLetter | None:
        """Return one dead letter."""
        return next((letter for letter in self.list(MOST) if letter.id == id_), None)

    def resend(self, id_: str) -> bool:
        """Put one dead letter back into the service's own queue; ``False`` when there is none of that id."""
        return self._remove(id_, resend=True)

    def drop(self, id_: str) -> bool:
        """Delete one dead letter; ``False`` when there is none of that id."""
        return self._remove(id_, resend=False)

    def _remove(self, id_: str, *, resend: bool) -> bool:
        with self._broker.session() as connection, self._taken(connection, MOST) as messages:
            for message in messages:
                letter = DeadLetter.read(message)
                if letter.id == id_:
                    if resend:
                        producer = self._broker.producer(connection)
                        self._broker.send(producer, self._broker.queue_name(self._service), letter.body, direct=True)
                    message.ack()
                    return True
        return False

    @contextmanager
    def _taken(self, connection: Connection, limit: int) -> Iterator[Iterator[Message]]:
        """Give messages one by one and put back those that were not acknowledged."""
        self._broker.declare_dead(connection, self._service)
        queue = Queue(self._broker.dead_name(self._service), channel=connection.channel(), no_declare=True)
        taken: list[Message] = []

        def take() -> Iterator[Message]:
            while len(taken) < limit and (message := queue.get(no_ack=False)) is not None:
                taken.append(message)
                yield message

        try:
            yield take()
        finally:
            for message in taken:
                if not message.acknowledged:
                    message.requeue()


def _envelope(body: str) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _brokers_reason(headers: dict[str, Any]) -> str:
    deaths = headers.get("x-death") or [{}]
    return f"broker: {deaths[0].get('reason', 'unknown')}"
