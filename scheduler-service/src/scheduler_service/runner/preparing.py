"""Makes runtimes ready: fetches their image, and calls a function in it (spec: scheduler 5.6)."""

from collections.abc import Callable

import structlog

from chassis.database import Database
from scheduler_service import runtimes
from scheduler_service.turns import Turns

log = structlog.get_logger()

IDLE_SECONDS = 30.0

Prepare = Callable[[str | None], str | None]
"""Says why functions cannot run in an image, ``None`` when they can; without an image: in the house's own Python."""


def image_of(runtime_image: str | None) -> str | None:
    """Return the image that a runtime names, ``None`` for the house's own Python."""
    return None if runtime_image == runtimes.OWN_IMAGE else runtime_image


class Preparing(Turns):
    """Finds out of new runtimes, and of changed ones, whether functions can run in them."""

    def __init__(self, database: Database, prepare: Prepare) -> None:
        super().__init__("runtimes", self.turn)
        self._database = database
        self._prepare = prepare

    def turn(self) -> float:
        """Prepare what waits for it."""
        for row in self._database.all(runtimes.sql.unprepared):
            if self.stopping.is_set():
                break
            reason = self._prepare(image_of(row["image"]))
            status = "available" if reason is None else "error"
            log.info("runtime_prepared", runtime_id=str(row["id"]), status=status, reason=reason)
            self._database.execute(runtimes.sql.prepared, {**row, "status": status})
        return IDLE_SECONDS
