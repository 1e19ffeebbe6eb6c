"""Sleeps until the next job is due, or until somebody plans one that is due earlier."""

import math
from datetime import datetime

from chassis.database import Transaction
from chassis.listen import Listener
from scheduler_service.engine.firing import BATCH, Firing, sql
from scheduler_service.jobs import DUE
from scheduler_service.turns import Turns

IDLE_SECONDS = 30.0
"""The longest sleep: bounds what a clock that is set forward, or a lost notification, can cost."""

HELD_SECONDS = 0.1
"""How long to leave a due job to the engine that has locked it."""


def database_time(tx: Transaction) -> datetime:
    """Return the one clock that all engines share."""
    return tx.value("SELECT clock_timestamp()")  # type: ignore[no-any-return]


class Engine(Turns):
    """Any number of these may run, in any number of processes."""

    def __init__(self, firing: Firing) -> None:
        super().__init__("engine", self.turn)
        self._firing = firing
        self._wakes_at = -math.inf

    def listen(self, listener: Listener) -> None:
        """Hear from ``listener`` when jobs are due that clients have just planned."""
        listener.on(DUE, self.heard, missed=self.ring)

    def heard(self, due_at: str) -> None:
        """Wake if something is due before the end of this sleep; ``due_at``: seconds since 1970."""
        if float(due_at) < self._wakes_at:
            self.ring()

    def turn(self) -> float:
        """Fire everything that is due and return the seconds until something else is."""
        self._wakes_at = math.inf
        while self._firing.fire() == BATCH and not self.stopping.is_set():
            pass
        with self._firing.database.transaction() as tx:
            now, next_due = self._firing.now(tx), tx.value(sql.next_due)
        seconds = IDLE_SECONDS if next_due is None else (next_due - now).total_seconds()
        seconds = min(seconds, IDLE_SECONDS) if seconds > 0 else HELD_SECONDS
        self._wakes_at = now.timestamp() + seconds
        return seconds
