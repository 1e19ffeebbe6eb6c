"""Who did what: the security-relevant events of the house, kept append-only for tracker admins to look at."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from auth_service.sql import sql
from chassis.database import Database, Transaction
from chassis.events import Event, Handlers

DAY = 86_400.0
PIECE = 5_000

handlers = Handlers()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries to list, newest first; a part that is ``None`` does not count.

    ``type`` may end in ``*``; ``account`` is whoever acted or was acted on; ``after`` is the id after which the page
    begins, so all ids on it are lower.
    """

    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    account: int | None = None
    worker: int | None = None
    username: str | None = None
    address: str | None = None
    after: int | None = None
    limit: int = 100


class Audit:
    """Every entry."""

    def __init__(self, database: Database, days: float) -> None:
        self._database = database
        self._days = days

    def select(self, selection: Selection) -> tuple[list[dict[str, Any]], int | None]:
        """Return a page, and the ``after`` of the next one, ``None`` on the last."""
        values = asdict(selection) | {"type": None, "prefix": "", "limit": selection.limit + 1}
        if selection.type is not None and selection.type.endswith("*"):
            values["prefix"] = selection.type[:-1]
        else:
            values["type"] = selection.type
        rows = self._database.all(sql.audit, values)
        page = [{**row, "data": orjson.loads(row["data"])} for row in rows[: selection.limit]]
        return page, (page[-1]["id"] if len(rows) > selection.limit else None)

    def prune(self) -> int:
        """Forget entries that are older than the days to keep, and return how many."""
        forgotten = 0
        while piece := self._database.execute(sql.prune_audit, {"seconds": self._days * DAY, "limit": PIECE}):
            forgotten += piece
        return forgotten


@handlers.on("auth.account.created")
@handlers.on("auth.account.updated")
@handlers.on("auth.key.created")
@handlers.on("auth.key.revoked")
@handlers.on("auth.login.failed")
@handlers.on("auth.login.succeeded")
@handlers.on("tracker.access.granted")
@handlers.on("tracker.access.requested")
@handlers.on("tracker.access.revoked")
@handlers.on("tracker.role.changed")
def keep(tx: Transaction, event: Event) -> None:
    """Write an entry."""
    data = event.data
    owner = {data.get("owner_kind"): data.get("owner_id")}
    tx.execute(
        sql.insert_audit,
        {
            "event_id": event.id,
            "type": event.type,
            "subject": event.subject,
            "happened_at": event.time,
            "account": data.get("account_id", owner.get("account")),
            "worker": data.get("worker_id", owner.get("worker")),
            "username": data.get("username"),
            "address": data.get("address"),
            "by": data.get("by"),
            "data": orjson.dumps(data).decode(),
        },
    )


@handlers.on("auth.worker.updated")
def keep_pause(tx: Transaction, event: Event) -> None:
    """Write an entry when an account paused or resumed the worker; a new alias is the worker's own business."""
    if event.data.get("by") is not None:
        keep(tx, event)
