"""``python -m chassis.events.tap [pattern]``: print events as they are sent, for people.

A tap has a queue of its own, so nobody misses an event because of it; the queue is gone when the tap ends.
"""

# kombu has no type hints.
# mypy: disallow-untyped-calls=False

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

import click
import orjson
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer

from chassis.events.broker import Broker, open_broker
from chassis.events.envelope import Event, InvalidEvent
from chassis.events.failures import reason_of

EVERYTHING = "#"
LONGEST = 400
BEAT_SECONDS = 0.5


def bodies(broker: Broker, pattern: str = EVERYTHING) -> Iterator[str | None]:
    """Give the body of each message from now on, and ``None`` at least every half second."""
    with broker.session() as connection, broker.tap(connection, pattern) as queue:
        yield from _received(broker, connection, queue)


def _received(broker: Broker, connection: Connection, queue: Queue) -> Iterator[str | None]:
    messages: list[Message] = []
    channel = connection.default_channel
    with Consumer(channel, [queue], on_message=messages.append, auto_declare=False):
        while True:
            yield None
            with suppress(TimeoutError):
                connection.drain_events(timeout=BEAT_SECONDS)
            broker.beat(connection)
            messages.sort(key=broker.position)
            while messages:
                message = messages.pop(0)
                message.ack()
                yield _text(message.body)


def line(body: str, longest: int | None = LONGEST) -> str:
    """Return an envelope as one line: time, sender, type, subject, data; at most ``longest`` characters of data.

    Only characters that can be printed: names that people chose must not move the cursor.
    """
    try:
        event = Event.parse(body)
    except InvalidEvent as error:
        return _printable(f"-- not an event ({error}), {len(body)} characters")
    data = orjson.dumps(event.data).decode()
    if longest is not None and len(data) > longest:
        data = f"{data[:longest]}… ({len(data)} characters)"
    sender = event.source.rpartition("/")[2]
    return _printable(f"{event.time[11:23]}  {sender:<10} {event.type:<30} {event.subject:<16} {data}")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _text(body: str | bytes) -> str:
    return body if isinstance(body, str) else bytes(body).decode("utf-8", "replace")


@click.command()
@click.argument("pattern", default=EVERYTHING)
@click.option("--full", is_flag=True, help="Print all of long data.")
def main(pattern: str, full: bool) -> None:
    """Print events whose type is like PATTERN (`tracker.*.closed`, `auth.#`; default: all), until Ctrl-C.

    TASKYARD_AMQP_URL says where the broker is.
    """
    url = os.environ.get("TASKYARD_AMQP_URL")
    if not url:
        sys.exit("TASKYARD_AMQP_URL is not set")
    try:
        stream = bodies(open_broker(url), pattern)
        next(stream)
        click.echo("-- connected; Ctrl-C ends", err=True)
        for body in stream:
            if body is not None:
                click.echo(line(body, None if full else LONGEST))
    except KeyboardInterrupt:
        pass
    except Exception as error:
        sys.exit(f"the broker is lost: {reason_of(error)}")


if __name__ == "__main__":
    main()
