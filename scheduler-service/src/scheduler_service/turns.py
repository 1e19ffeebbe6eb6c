"""A thread that works in turns: it sleeps until there is something to do, or until somebody rings."""

import threading
from collections.abc import Callable

import structlog

from chassis.errors import ApiError

log = structlog.get_logger()

PAUSE_SECONDS = 1.0


class Turns:
    """Calls ``turn`` again and again; it returns how many seconds there is nothing to do. A failure is tried again."""

    def __init__(self, name: str, turn: Callable[[], float]) -> None:
        self.name = name
        self._turn = turn
        self._bell = threading.Event()
        self.stopping = threading.Event()
        self._works = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def ring(self) -> None:
        """Begin the next turn now."""
        self._bell.set()

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Finish the running turn."""
        self.stopping.set()
        self._bell.set()
        self._thread.join(timeout)

    def check(self) -> str | None:
        """Say that the last turn failed, or that there was none (a :data:`chassis.health.Check`)."""
        return None if self._works and self._thread.is_alive() else f"the {self.name} does not work"

    def _run(self) -> None:
        while not self.stopping.is_set():
            # Before the turn: what rings while it looks may be something that it has not seen.
            self._bell.clear()
            self._bell.wait(self._safely())

    def _safely(self) -> float:
        try:
            seconds = 0.0 if self.stopping.is_set() else self._turn()
        except ApiError as error:
            log.warning("turn_postponed", part=self.name, reason=error.message)
        except Exception:
            log.exception("turn_failed", part=self.name)
        else:
            self._works = True
            return seconds
        self._works = False
        return PAUSE_SECONDS
