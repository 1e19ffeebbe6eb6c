"""Sees every event of a broker from a moment on."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from chassis.events import Event
from chassis.events.broker import open_broker
from chassis.events.tap import bodies


@contextmanager
def watching(amqp_url: str) -> Iterator[list[Event]]:
    """Give a list that grows with each event until the context ends."""
    seen: list[Event] = []
    stopping, listening = threading.Event(), threading.Event()

    def collect() -> None:
        with closing(bodies(open_broker(amqp_url))) as stream:
            for body in stream:
                listening.set()
                if body is not None:
                    seen.append(Event.parse(body))
                if stopping.is_set():
                    return

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        assert listening.wait(30)
        yield seen
    finally:
        stopping.set()
        thread.join()
