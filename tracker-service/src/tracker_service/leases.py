"""Leases that are prolonged, and leases that run out (spec: tracker 5.5)."""

from typing import Any

import structlog

from chassis.database import Database
from chassis.queries import Queries

log = structlog.get_logger()
sql = Queries.beside(__file__, "tasks.sql")

NOT_HELD = "Task is not assigned to you"
_PIECE = 5_000


def renew(database: Database, task: int, worker: int, seconds: int | None) -> dict[str, Any] | None:
    """Start the worker's lease of a task anew, for ``seconds`` or its old length; ``None`` when it has none."""
    return database.one(sql.renew_lease, {"task": task, "worker": worker, "seconds": seconds})


def expire(database: Database) -> int:
    """Take back every task whose lease has run out, and return how many these were.

    A ``max_assign_time`` of 0 runs out at once (spec: tracker Q-34).
    """
    expired = 0
    while piece := int(database.value(sql.expire_leases, {"limit": _PIECE})):
        expired += piece
    if expired:
        log.info("leases_expired", tasks=expired)
    return expired
