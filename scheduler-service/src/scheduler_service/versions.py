"""Versions: a package as it was at one moment (spec: scheduler 5.3)."""

import uuid
from typing import Any

from chassis.database import Transaction
from chassis.identity import Principal
from chassis.queries import Queries
from scheduler_service import functions, webhooks
from scheduler_service.refusals import forbid, not_found

sql = Queries.beside(__file__, "versions.sql")

MOST = 10
STILL = "The function version is still associated with"

Version = dict[str, Any]


def create(tx: Transaction, owner: Principal, function_id: str, description: str | None) -> Version:
    """Freeze the current package of the owner's function."""
    function = functions.locked(tx, function_id, owner.tenant)
    if function["source"] != "package":
        raise forbid("Function versioning only allowed for package type function.")
    latest = function["latest_version"]
    key = {"function_id": function["id"], "version_number": latest}
    if tx.value(sql.count_versions, key) >= MOST:
        raise forbid(f"Can not exceed maximum number({MOST}) of versions")
    if latest and not tx.value(sql.is_changed, key):
        raise forbid(f"Function package not changed since the latest version {latest}.")
    new = {**key, "version_number": latest + 1}
    more = {"id": str(uuid.uuid4()), "project_id": function["project_id"], "description": description}
    row = tx.one(sql.insert_version, new | more)
    assert row is not None
    tx.execute(sql.freeze_package, new)
    tx.execute(sql.set_latest, {**new, "latest": latest + 1})
    return row


def find(tx: Transaction, function_id: str, number: int, project: str | None) -> Version:
    """Return one version; raise 404."""
    function = functions.find(tx, function_id, project)
    row = tx.one(sql.version_by_number, {"function_id": function["id"], "version_number": number})
    if row is None:
        raise not_found("FunctionVersion", function_id=function_id, version_number=number)
    return row


def delete(tx: Transaction, owner: Principal, function_id: str, number: int) -> None:
    """Remove one version of the owner's function; raise 403 while something needs it."""
    function = functions.locked(tx, function_id, owner.tenant)
    find(tx, function_id, number, owner.tenant)
    if tx.value(functions.sql.has_active_jobs, {"id": function["id"], "version": number}):
        raise forbid(f"{STILL} running job(s).")
    if tx.value(webhooks.sql.uses_function, {"id": function["id"], "version": number}):
        raise forbid(f"{STILL} webhook(s).")
    if tx.value(functions.sql.has_aliases, {"id": function["id"], "version": number}):
        raise forbid(f"{STILL} function alias(es).")
    key = {"function_id": function["id"], "version_number": number}
    tx.execute(sql.delete_version, key)
    if number == function["latest_version"]:
        tx.execute(sql.set_latest, {**key, "latest": number - 1})
