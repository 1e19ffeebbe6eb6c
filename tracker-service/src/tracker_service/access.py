"""Access of workers to projects: asked for, granted, taken away (spec: tracker 2.4, 4.3)."""

from typing import Any

from chassis.database import Database
from chassis.queries import Queries
from tracker_service import events

sql = Queries.beside(__file__)


def request(db: Database, worker: int, project: int, *, assign: bool, submit: bool) -> bool:
    """Store a pending request; ``False`` when the pair has a row already or there is no such project."""
    row = {"worker": worker, "project": project, "assign": assign, "submit": submit}
    with db.transaction() as tx:
        if not tx.execute(sql.request_access, row):
            return False
        events.access_requested(tx, project, worker, assign=assign, submit=submit)
        return True


def accept(db: Database, worker: int, project: int, *, by: int) -> bool:
    """Grant what was asked for, as account ``by``; ``False`` when the pair has no row."""
    with db.transaction() as tx:
        row = tx.one(sql.accept_access, {"worker": worker, "project": project})
        if row is None:
            return False
        events.access_granted(tx, project, worker, assign=row["assign"], submit=row["submit"], by=by)
        return True


def remove(db: Database, worker: int, project: int, *, by: int) -> bool:
    """Refuse a request or take access away as account ``by``, at once; ``False`` when the pair has no row."""
    with db.transaction() as tx:
        if tx.one(sql.remove_access, {"worker": worker, "project": project}) is None:
            return False
        events.access_revoked(tx, project, worker, by=by)
        return True


def listed(db: Database, project: int) -> list[dict[str, Any]]:
    """Return who has or asks for access, accepted ones first (spec: tracker 3, WorkerAccess)."""
    return [_wire(row) for row in db.all(sql.access_list, {"project": project})]


def may_assign(db: Database, worker: int, project: int) -> bool:
    """Return whether the worker has been granted Assign, by itself or with Submit (DESIGN 10); public or not."""
    return db.value(sql.worker_may_assign, {"worker": worker, "project": project}) is True


def _wire(row: dict[str, Any]) -> dict[str, Any]:
    worker = {"id": row["id"], "created": row["created"], "secret": None, "paused": row["paused"]}
    if row["alias"]:
        worker["alias"] = row["alias"]
    return {
        "submit": row["submit"],
        "assign": row["assign"],
        "request": row["pending"],
        "worker": worker,
        "project": row["project"],
    }
