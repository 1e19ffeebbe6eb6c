"""Aliases: names that can be pointed at another function or version later (spec: scheduler 5.4)."""

import uuid
from collections.abc import Mapping
from typing import Any

import psycopg

from chassis.database import Transaction
from chassis.identity import Principal
from chassis.queries import Queries
from scheduler_service import fields, targets, webhooks
from scheduler_service.refusals import forbid, not_found, refuse

sql = Queries.beside(__file__, "aliases.sql")

READ_ONLY = frozenset({"project_id", "created_at", "updated_at"})
FIELDS: Mapping[str, fields.Reader] = {
    "id": fields.uuid_text,
    "name": fields.text(255),
    "function_id": fields.uuid_text,
    "function_version": fields.integer(0),
    "description": fields.text(255),
}

Alias = dict[str, Any]


def create(tx: Transaction, project: str, values: Mapping[str, Any]) -> Alias:
    """Add an alias for a function of the project."""
    missing = [name for name in ("name", "function_id") if not values.get(name)]
    if missing:
        raise refuse(f"Required param is missing. Required: {{{', '.join(map(repr, missing))}}}")
    alias = {"function_version": 0, "description": None, **values, "id": str(uuid.uuid4()), "project_id": project}
    targets.resolve(tx, project, {**alias, "function_alias": None})
    row = tx.one(sql.insert_alias, alias)
    if row is None:
        raise _duplicate()
    return row


def find(tx: Transaction, caller: Principal, name: str) -> Alias:
    """Return an alias of the caller's project, to an admin otherwise one of any; raise 404."""
    key = {"project": caller.tenant, "name": name, "anywhere": caller.admin}
    return _known(None if "\x00" in name else tx.one(sql.alias_by_name, key), name)


def update(tx: Transaction, project: str, name: str, values: Mapping[str, Any]) -> Alias:
    """Point an alias somewhere else; jobs follow from their next occurrence on."""
    alias = _locked(tx, project, name)
    names = ("function_id", "function_version", "description")
    wanted = alias | {field: values[field] for field in names if field in values}
    targets.resolve(tx, project, {**wanted, "function_alias": None})
    try:
        with tx.connection.transaction():
            row = tx.one(sql.update_alias, wanted)
    except psycopg.errors.UniqueViolation:
        raise _duplicate() from None
    assert row is not None
    return row


def delete(tx: Transaction, project: str, name: str) -> None:
    """Remove an alias; raise 403 while an active job or a webhook uses it."""
    alias = _locked(tx, project, name)
    if tx.value(sql.has_active_jobs, {"project": project, "name": name}):
        raise forbid("The function alias is still associated with running job(s).")
    if tx.value(webhooks.sql.uses_alias, {"project": project, "name": name}):
        raise forbid("The function alias is still associated with webhook(s).")
    tx.execute(sql.delete_alias, alias)


def _locked(tx: Transaction, project: str, name: str) -> Alias:
    return _known(None if "\x00" in name else tx.one(sql.lock_alias, {"project": project, "name": name}), name)


def _known(row: Alias | None, name: str) -> Alias:
    if row is None:
        raise not_found("FunctionAlias", name=name)
    return row


def _duplicate() -> Exception:
    return refuse("Duplicate entry for function_aliases: ['name', 'function_id, function_version', 'project_id']")
