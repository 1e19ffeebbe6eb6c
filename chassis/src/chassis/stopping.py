"""Lets requests that wait for something end early when their process is told to stop."""

from collections.abc import Callable

import structlog

log = structlog.get_logger()

_callbacks: list[Callable[[], None]] = []


def on_stop(callback: Callable[[], None]) -> None:
    """Call ``callback`` once no new request comes in; it should make waiting requests answer what they have."""
    _callbacks.append(callback)


def stop_waiting() -> None:
    """Run the callbacks, each once."""
    while _callbacks:
        try:
            _callbacks.pop()()
        except Exception:
            log.exception("stop_callback_failed")
