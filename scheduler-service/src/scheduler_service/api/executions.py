"""``/v1/executions`` (spec: scheduler 5.1)."""

from time import monotonic
from typing import Any

from flask import Response

from chassis.idempotency import once
from scheduler_service import access, executions, inputs, times
from scheduler_service.api.answers import answer, nothing, resource
from scheduler_service.container import container
from scheduler_service.fields import json_body, path_id, uuid_text
from scheduler_service.filters import SCOPE, arguments, parameters, scope
from scheduler_service.refusals import not_found

blueprint = resource("executions")

FILTERS = ("function_id", "status", "description")
_PLAIN = ("function_version", "function_alias", "description", "status", "sync", "result", "project_id")


@blueprint.post("/v1/executions")
def create() -> Response:
    """Run a function; a synchronous one is answered when it has ended, or when that takes too long."""
    arguments()

    def run() -> Response:
        values = executions.read(json_body("body"))
        patience = container().settings.scheduler_patience
        with container().database.transaction() as tx:
            return answer(shown(executions.create(tx, access.caller(), values, patience)), 201)

    created = once(access.caller_name(), run)
    execution = created.get_json()
    if execution["sync"]:
        created.set_data(answer(shown(_ended(execution))).get_data())
    return created


@blueprint.get("/v1/executions")
def find_many() -> Response:
    """List executions."""
    given = arguments(SCOPE | set(FILTERS))
    values = scope(given)
    for name in FILTERS:
        values |= parameters(name, given.get(name))
    rows = container().database.all(executions.sql.list_executions, values)
    return answer({"executions": [shown(row) for row in rows]})


@blueprint.get("/v1/executions/<execution_id>")
def find(execution_id: str) -> Response:
    """Show one execution."""
    arguments()
    return answer(shown(_execution(path_id(execution_id))))


@blueprint.get("/v1/executions/<execution_id>/log")
def log(execution_id: str) -> Response:
    """Show what an execution has printed; 204 while there is nothing."""
    arguments()
    try:
        known = uuid_text(execution_id)
    except ValueError:
        raise not_found("Execution", id=execution_id) from None
    logs = _execution(known)["logs"]
    return Response(logs, content_type="text/plain; charset=UTF-8") if logs else nothing()


@blueprint.delete("/v1/executions/<execution_id>")
def delete(execution_id: str) -> Response:
    """Remove an execution."""
    arguments()
    key = {"id": path_id(execution_id), "project": access.visible_project()}
    if not container().database.execute(executions.sql.delete_execution, key):
        raise not_found("Execution", id=key["id"])
    return nothing()


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return an execution as clients see it."""
    return {
        "id": str(row["id"]),
        "function_id": row["function_id"] and str(row["function_id"]),
        **{name: row[name] for name in _PLAIN},
        "input": inputs.shown(row["input"]),
        "created_at": times.shown(row["created_at"]),
        "updated_at": times.shown(row["updated_at"]),
    }


def _execution(execution_id: str) -> dict[str, Any]:
    key = {"id": execution_id, "project": access.visible_project()}
    row = container().database.one(executions.sql.execution_by_id, key)
    if row is None:
        raise not_found("Execution", id=execution_id)
    return row


def _ended(row: dict[str, Any]) -> dict[str, Any]:
    """Return the execution as it is when it has ended, or when the longest wait or the process is over."""
    endings, execution_id = container().endings, str(row["id"])
    deadline = monotonic() + container().settings.scheduler_sync_wait
    with endings.waiting(execution_id) as bell:
        while (row := _execution(execution_id))["status"] == "running":
            if endings.closed or not bell.wait(max(0.0, deadline - monotonic())):
                break
            bell.clear()
    return row
