"""``/v1/webhooks`` (spec: scheduler 5.5)."""

from typing import Any

from flask import Response

from chassis.idempotency import once
from scheduler_service import access, fields, times, webhooks
from scheduler_service.api.answers import answer, nothing, public_base, resource
from scheduler_service.container import container
from scheduler_service.fields import path_id
from scheduler_service.filters import SCOPE, arguments, scope

blueprint = resource("webhooks")


@blueprint.post("/v1/webhooks")
def create() -> Response:
    """Add a webhook."""
    arguments()

    def run() -> Response:
        values = _body()
        with container().database.transaction() as tx:
            return answer(shown(webhooks.create(tx, access.caller(), values)), 201)

    return once(access.caller_name(), run)


@blueprint.get("/v1/webhooks")
def find_many() -> Response:
    """List webhooks."""
    rows = container().database.all(webhooks.sql.list_webhooks, scope(arguments(SCOPE)))
    return answer({"webhooks": [shown(row) for row in rows]})


@blueprint.get("/v1/webhooks/<webhook_id>")
def find(webhook_id: str) -> Response:
    """Show one webhook."""
    arguments()
    with container().database.transaction() as tx:
        return answer(shown(webhooks.find(tx, path_id(webhook_id), access.visible_project())))


@blueprint.put("/v1/webhooks/<webhook_id>")
def update(webhook_id: str) -> Response:
    """Change what a webhook runs."""
    arguments()
    known, values = path_id(webhook_id), _body()
    with container().database.transaction() as tx:
        return answer(shown(webhooks.update(tx, access.caller(), known, values)))


@blueprint.delete("/v1/webhooks/<webhook_id>")
def delete(webhook_id: str) -> Response:
    """Remove a webhook."""
    arguments()
    with container().database.transaction() as tx:
        webhooks.delete(tx, path_id(webhook_id), access.visible_project())
    return nothing()


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a webhook as clients see it; its address is that of the gate through which they ask."""
    return {
        "id": str(row["id"]),
        "function_id": row["function_id"] and str(row["function_id"]),
        **{name: row[name] for name in ("function_alias", "function_version", "description", "project_id")},
        "created_at": times.shown(row["created_at"]),
        "updated_at": times.shown(row["updated_at"]),
        "webhook_url": f"{public_base()}/v1/webhooks/{row['id']}/invoke",
    }


def _body() -> dict[str, Any]:
    return fields.read("webhook", fields.json_body("webhook"), webhooks.FIELDS, webhooks.READ_ONLY)
