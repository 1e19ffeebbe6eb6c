"""``/v1/runtimes``, to be read only (spec: scheduler 5.6)."""

from typing import Any

from flask import Response

from scheduler_service import access, functions, times
from scheduler_service.api.answers import answer, resource
from scheduler_service.container import container
from scheduler_service.fields import path_id
from scheduler_service.filters import arguments
from scheduler_service.refusals import not_found

blueprint = resource("runtimes")

_PLAIN = ("name", "image", "description", "is_public", "trusted", "status", "project_id")


@blueprint.get("/v1/runtimes")
def find_many() -> Response:
    """List the runtimes that the caller's functions can use."""
    arguments()
    rows = container().database.all(functions.sql.list_runtimes, {"project": access.caller().tenant})
    return answer({"runtimes": [shown(row) for row in rows]})


@blueprint.get("/v1/runtimes/<runtime_id>")
def find(runtime_id: str) -> Response:
    """Show one runtime."""
    arguments()
    key = {"id": path_id(runtime_id), "project": access.caller().tenant}
    row = container().database.one(functions.sql.runtime_by_id, key)
    if row is None:
        raise not_found("Runtime", id=key["id"])
    return answer(shown(row))


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a runtime as clients see it."""
    return {
        "id": str(row["id"]),
        **{name: row[name] for name in _PLAIN},
        "created_at": times.shown(row["created_at"]),
        "updated_at": times.shown(row["updated_at"]),
    }
