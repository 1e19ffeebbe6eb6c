"""Webhooks: addresses that anybody who knows them may call to run a function (spec: scheduler 5.5)."""

import uuid
from collections.abc import Mapping
from typing import Any

from chassis.database import Transaction
from chassis.identity import Principal
from chassis.queries import Queries
from scheduler_service import fields, targets
from scheduler_service.refusals import not_found, refuse

sql = Queries.beside(__file__, "webhooks.sql")

READ_ONLY = frozenset({"project_id", "created_at", "updated_at", "webhook_url"})
FIELDS: Mapping[str, fields.Reader] = {
    "id": fields.uuid_text,
    "function_id": fields.uuid_text,
    "function_alias": fields.text(255),
    "function_version": fields.integer(0),
    "description": fields.text(255),
}
TARGET = ("function_id", "function_alias", "function_version")

Webhook = dict[str, Any]


def create(tx: Transaction, owner: Principal, values: Mapping[str, Any]) -> Webhook:
    """Add a webhook to the owner's project; an alias wins over an id."""
    targets.check_named(values)
    target = _target(values)
    targets.resolve(tx, owner.tenant, target)
    owned = {"project_id": owner.tenant, "owner_kind": str(owner.kind), "owner_id": owner.id}
    row = tx.one(
        sql.insert_webhook,
        {"id": str(uuid.uuid4()), "description": values.get("description"), **owned, **target},
    )
    assert row is not None
    return row


def find(tx: Transaction, webhook_id: str, project: str | None) -> Webhook:
    """Return a webhook that its caller may see; raise 404."""
    return _known(tx.one(sql.webhook_by_id, {"id": webhook_id, "project": project}), webhook_id)


def update(tx: Transaction, caller: Principal, webhook_id: str, values: Mapping[str, Any]) -> Webhook:
    """Change a webhook; it can only be pointed at functions of the caller's project."""
    project = None if caller.admin else caller.tenant
    webhook = _known(tx.one(sql.lock_webhook, {"id": webhook_id, "project": project}), webhook_id)
    wanted = webhook | {"description": values.get("description", webhook["description"])}
    if any(values.get(name) is not None for name in TARGET):
        target = _target(_pointed(webhook, values))
        if webhook["project_id"] != caller.tenant:
            raise not_found("Function", id=target["function_id"])
        targets.resolve(tx, caller.tenant, target)
        wanted |= target
    row = tx.one(sql.update_webhook, wanted)
    assert row is not None
    return row


def delete(tx: Transaction, webhook_id: str, project: str | None) -> None:
    """Remove a webhook; raise 404."""
    if not tx.execute(sql.delete_webhook, {"id": webhook_id, "project": project}):
        raise not_found("Webhook", id=webhook_id)


def _target(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be run, with nothing beside an alias."""
    if alias := values.get("function_alias"):
        return {"function_id": None, "function_alias": alias, "function_version": None}
    version = values.get("function_version") or 0
    return {"function_id": values["function_id"], "function_alias": None, "function_version": version}


def _pointed(webhook: Webhook, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the target after a change: what is not given stays, but an id takes the place of an alias."""
    if values.get("function_alias"):
        return dict(values)
    wanted = {name: values.get(name, webhook[name]) for name in ("function_id", "function_version")}
    if wanted["function_id"] is None:
        raise refuse("function_id must be provided with function_version.")
    return wanted


def _known(row: Webhook | None, webhook_id: str) -> Webhook:
    if row is None:
        raise not_found("Webhook", id=webhook_id)
    return row
