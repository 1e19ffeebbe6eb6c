"""The envelope that every event and command travels in: CloudEvents 1.0 as JSON."""

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from chassis.events.schemas import schemas
from chassis.tracing import begun, traceparent

CONTENT_TYPE = "application/cloudevents+json"
# RabbitMQ takes 16 MiB; an event is a notice and fits in far less.
MAX_BYTES = 4 * 1024 * 1024


class InvalidEvent(ValueError):
    """The event does not keep its contract."""


@dataclass(frozen=True)
class Event:
    """One event or command; ``data`` keeps the schema ``contracts/events/<type>.json``."""

    type: str
    subject: str
    data: Mapping[str, Any]
    source: str
    id: uuid.UUID
    time: str
    traceparent: str | None = None

    @classmethod
    def new(cls, type_: str, subject: str, data: Mapping[str, Any], *, service: str) -> Self:
        """Make an event that happens now, caused by the request or event that is being handled."""
        return cls(
            type=type_,
            subject=subject,
            data=data,
            source=f"/taskyard/{service}",
            id=uuid7(),
            time=_now(),
            traceparent=traceparent() or begun(),
        )

    @classmethod
    def parse(cls, body: bytes | str) -> Self:
        """Read an envelope and check it and its data; raise :class:`InvalidEvent` with the reason."""
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise InvalidEvent("not JSON") from None
        _check("envelope", document)
        _check(document["type"], document["data"])
        names = ("type", "subject", "data", "source", "time", "traceparent")
        return cls(id=uuid.UUID(document["id"]), **{name: document.get(name) for name in names})

    def dump(self) -> bytes:
        """Return the envelope as JSON; raise :class:`InvalidEvent` when it does not keep its contract."""
        document = {
            "specversion": "1.0",
            "id": str(self.id),
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": "application/json",
            **({"traceparent": self.traceparent} if self.traceparent else {}),
            "data": self.data,
        }
        _check("envelope", document)
        _check(self.type, self.data)
        body = orjson.dumps(document)
        if len(body) > MAX_BYTES:
            raise InvalidEvent(f"larger than {MAX_BYTES} bytes")
        return body


def uuid7() -> uuid.UUID:
    """Return a UUID that sorts by time (RFC 9562, 5.7), so that an index of them grows at its end."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (random >> 68) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return uuid.UUID(int=value)


def _now() -> str:
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{microseconds:06d}Z"


def _check(name: str, value: Any) -> None:
    problem = schemas().problem(name, value)
    if problem:
        raise InvalidEvent(problem)
