"""``/v1/runtimes`` (spec: scheduler 5.6)."""

from typing import Any

from flask import Response

from chassis.idempotency import once
from scheduler_service import access, fields, runtimes, times
from scheduler_service.api.answers import answer, nothing, resource
from scheduler_service.container import container
from scheduler_service.fields import path_id
from scheduler_service.filters import arguments

blueprint = resource("runtimes")

_PLAIN = ("name", "image", "description", "is_public", "trusted", "status", "project_id")


@blueprint.get("/v1/runtimes")
def find_many() -> Response:
    """List the runtimes that the caller's functions can use."""
    arguments()
    rows = container().database.all(runtimes.sql.list_runtimes, {"project": access.caller().tenant})
    return answer({"runtimes": [shown(row) for row in rows]})


@blueprint.post("/v1/runtimes")
def create() -> Response:
    """Add a runtime; only admins may."""
    runtimes.require_admin(access.caller())
    arguments()

    def run() -> Response:
        values = _body()
        with container().database.transaction() as tx:
            return answer(shown(runtimes.create(tx, access.caller(), values)), 201)

    return once(access.caller_name(), run)


@blueprint.get("/v1/runtimes/<runtime_id>")
def find(runtime_id: str) -> Response:
    """Show one runtime."""
    arguments()
    with container().database.transaction() as tx:
        return answer(shown(runtimes.find(tx, access.caller(), path_id(runtime_id))))


@blueprint.put("/v1/runtimes/<runtime_id>")
def update(runtime_id: str) -> Response:
    """Change a runtime; only admins may."""
    runtimes.require_admin(access.caller())
    arguments()
    known, values = path_id(runtime_id), _body()
    with container().database.transaction() as tx:
        return answer(shown(runtimes.update(tx, access.caller(), known, values)))


@blueprint.delete("/v1/runtimes/<runtime_id>")
def delete(runtime_id: str) -> Response:
    """Remove a runtime; only admins may."""
    runtimes.require_admin(access.caller())
    arguments()
    with container().database.transaction() as tx:
        runtimes.delete(tx, access.caller(), path_id(runtime_id))
    return nothing()


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a runtime as clients see it."""
    return {
        "id": str(row["id"]),
        **{name: row[name] for name in _PLAIN},
        "created_at": times.shown(row["created_at"]),
        "updated_at": times.shown(row["updated_at"]),
    }


def _body() -> dict[str, Any]:
    return fields.read("runtime", fields.json_body("runtime"), runtimes.FIELDS, runtimes.READ_ONLY)
