"""``/v1/functions/<id>/versions`` (spec: scheduler 5.3)."""

from typing import Any

from flask import Response

from chassis.idempotency import once
from scheduler_service import access, functions, times, versions
from scheduler_service.api.answers import answer, nothing, resource
from scheduler_service.api.functions import archive, wants_download
from scheduler_service.container import container
from scheduler_service.fields import MAX_INTEGER, json_body, read, text
from scheduler_service.filters import arguments
from scheduler_service.refusals import not_found

blueprint = resource("versions")

READ_ONLY = frozenset({"version_number", "count", "project_id", "created_at", "updated_at"})


@blueprint.post("/v1/functions/<function_id>/versions")
def create(function_id: str) -> Response:
    """Freeze the current package."""
    arguments()

    def run() -> Response:
        values = read("body", json_body("body"), {"description": text(255)}, READ_ONLY)
        with container().database.transaction() as tx:
            row = versions.create(tx, access.caller(), function_id, values.get("description"))
        return answer(shown(row), 201)

    return once(access.caller_name(), run)


@blueprint.get("/v1/functions/<function_id>/versions")
def find_many(function_id: str) -> Response:
    """List versions by number."""
    arguments()
    with container().database.transaction() as tx:
        function = functions.find(tx, function_id, access.visible_project())
        rows = tx.all(versions.sql.list_versions, {"function_id": function["id"]})
    return answer({"function_versions": [shown(row) for row in rows]})


@blueprint.get("/v1/functions/<function_id>/versions/<number>")
def find(function_id: str, number: str) -> Response:
    """Show one version, or give its package."""
    download = wants_download()
    with container().database.transaction() as tx:
        row = versions.find(tx, function_id, _number(function_id, number), access.visible_project())
        if not download:
            return answer(shown(row))
        key = {"id": row["function_id"], "version": row["version_number"]}
        return archive(tx.value(functions.sql.package, key), f"{row['function_id']}_{number}")


@blueprint.delete("/v1/functions/<function_id>/versions/<number>")
def delete(function_id: str, number: str) -> Response:
    """Remove one version."""
    arguments()
    with container().database.transaction() as tx:
        versions.delete(tx, access.caller(), function_id, _number(function_id, number))
    return nothing()


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a version as clients see it."""
    return {
        "id": str(row["id"]),
        "function_id": str(row["function_id"]),
        **{name: row[name] for name in ("version_number", "description", "count", "project_id")},
        "created_at": times.shown(row["created_at"]),
        "updated_at": times.shown(row["updated_at"]),
    }


def _number(function_id: str, given: str) -> int:
    if given.isascii() and given.isdecimal() and len(given) <= 10 and 0 < int(given) <= MAX_INTEGER:
        return int(given)
    raise not_found("FunctionVersion", function_id=function_id, version_number=given)
