"""Runtimes: in what package functions run; admins make them, runners make them ready (spec: scheduler 5.6)."""

import uuid
from collections.abc import Mapping
from typing import Any

from chassis.database import Transaction
from chassis.identity import Principal
from chassis.queries import Queries
from scheduler_service import fields
from scheduler_service.refusals import forbid, not_found, refuse

sql = Queries.beside(__file__, "runtimes.sql")

CHANGED = "scheduler_runtimes"
"""The channel on which runners hear that a runtime is to be made ready."""

HOUSE = "taskyard"
"""The project of the built-in runtime."""

OWN_IMAGE = "python3"
"""The image that is no image: the Python that comes with this system, wherever its functions run."""

READ_ONLY = frozenset({"status", "project_id", "created_at", "updated_at"})
FIELDS: Mapping[str, fields.Reader] = {
    "id": fields.uuid_text,
    "name": fields.text(255),
    "image": fields.text(255),
    "description": fields.text(255),
    "is_public": fields.boolean,
    "trusted": fields.boolean,
}

Runtime = dict[str, Any]


def require_admin(caller: Principal) -> None:
    """Raise 403 unless the caller may make and change runtimes (spec: scheduler 1.6)."""
    if not caller.admin:
        raise forbid("Operation not allowed")


def create(tx: Transaction, owner: Principal, values: Mapping[str, Any]) -> Runtime:
    """Add a runtime of the owner's project; functions can be made in it when a runner has found that it works."""
    if not values.get("image"):
        raise refuse("Required param is missing. Required: {'image'}")
    given = {"name": None, "description": None, "is_public": True, "trusted": True, **values}
    row = tx.one(sql.insert_runtime, {**given, "id": str(uuid.uuid4()), "project_id": owner.tenant})
    assert row is not None
    tx.execute(sql.ring_preparers, {"channel": CHANGED})
    return row


def find(tx: Transaction, caller: Principal, runtime_id: str) -> Runtime:
    """Return a public runtime or one of the caller's project; raise 404, also to admins."""
    return _known(tx.one(sql.runtime_by_id, {"id": runtime_id, "project": caller.tenant}), runtime_id)


def kept(tx: Transaction, caller: Principal, runtime_id: str) -> Runtime:
    """Return a runtime like :func:`find`, kept from deletion until the transaction ends."""
    return _known(tx.one(sql.runtime_for_share, {"id": runtime_id, "project": caller.tenant}), runtime_id)


def update(tx: Transaction, caller: Principal, runtime_id: str, values: Mapping[str, Any]) -> Runtime:
    """Change name, description or image; one with a new image, or that did not work, is made ready again."""
    runtime = _locked(tx, caller, runtime_id)
    changes = {name: values[name] for name in ("name", "description", "image") if name in values}
    if changes.get("image") == "":
        raise refuse('"image" must be specified.')
    if "image" in changes and (changes["image"] != runtime["image"] or runtime["status"] == "error"):
        if tx.value(sql.has_running_functions, {"id": runtime["id"]}):
            raise _still_used(runtime_id)
        changes["status"] = "upgrading"
        tx.execute(sql.ring_preparers, {"channel": CHANGED})
    if not changes:
        return runtime
    row = tx.one(sql.update_runtime, runtime | changes)
    assert row is not None
    return row


def delete(tx: Transaction, caller: Principal, runtime_id: str) -> None:
    """Remove a runtime in which there are no functions; raise 403 for one that is in use."""
    runtime = _locked(tx, caller, runtime_id)
    if tx.value(sql.has_functions, {"id": runtime["id"]}):
        raise _still_used(runtime_id)
    tx.execute(sql.delete_runtime, {"id": runtime["id"]})


def _locked(tx: Transaction, caller: Principal, runtime_id: str) -> Runtime:
    runtime = _known(tx.one(sql.lock_runtime, {"id": runtime_id, "project": caller.tenant}), runtime_id)
    if runtime["project_id"] == HOUSE:
        raise forbid("The built-in runtime can not be changed.")
    return runtime


def _known(row: Runtime | None, runtime_id: str) -> Runtime:
    if row is None:
        raise not_found("Runtime", id=runtime_id)
    return row


def _still_used(runtime_id: str) -> Exception:
    return forbid(f"Runtime {runtime_id} is still in use.")
