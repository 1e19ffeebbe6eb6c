"""``/v1/aliases`` (spec: scheduler 5.4)."""

from typing import Any

from flask import Response

from chassis.idempotency import once
from scheduler_service import access, aliases, fields, times
from scheduler_service.api.answers import answer, nothing, resource
from scheduler_service.container import container
from scheduler_service.filters import SCOPE, arguments, scope

blueprint = resource("aliases")


@blueprint.post("/v1/aliases")
def create() -> Response:
    """Add an alias."""
    arguments()

    def run() -> Response:
        values = _body()
        with container().database.transaction() as tx:
            return answer(shown(aliases.create(tx, access.caller().tenant, values)), 201)

    return once(access.caller_name(), run)


@blueprint.get("/v1/aliases")
def find_many() -> Response:
    """List aliases."""
    rows = container().database.all(aliases.sql.list_aliases, scope(arguments(SCOPE)))
    return answer({"function_aliases": [shown(row) for row in rows]})


@blueprint.get("/v1/aliases/<name>")
def find(name: str) -> Response:
    """Show one alias."""
    arguments()
    with container().database.transaction() as tx:
        return answer(shown(aliases.find(tx, access.caller(), name)))


@blueprint.put("/v1/aliases/<name>")
def update(name: str) -> Response:
    """Change what an alias stands for."""
    arguments()
    values = _body()
    with container().database.transaction() as tx:
        return answer(shown(aliases.update(tx, access.caller().tenant, name, values)))


@blueprint.delete("/v1/aliases/<name>")
def delete(name: str) -> Response:
    """Remove an alias."""
    arguments()
    with container().database.transaction() as tx:
        aliases.delete(tx, access.caller().tenant, name)
    return nothing()


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return an alias as clients see it."""
    return {
        "id": str(row["id"]),
        "function_id": str(row["function_id"]),
        **{name: row[name] for name in ("name", "description", "function_version", "project_id")},
        "created_at": times.shown(row["created_at"]),
        "updated_at": times.shown(row["updated_at"]),
    }


def _body() -> dict[str, Any]:
    return fields.read("body", fields.json_body("body"), aliases.FIELDS, aliases.READ_ONLY)
