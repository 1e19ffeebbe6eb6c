"""``/v1/functions`` (spec: scheduler 5.2)."""

from typing import Any

import orjson
from flask import Response, request

from chassis.errors import ApiError
from chassis.idempotency import once
from scheduler_service import access, functions, times
from scheduler_service.api.answers import answer, nothing, resource
from scheduler_service.container import container
from scheduler_service.fields import FORMS, boolean, json_body
from scheduler_service.filters import SCOPE, arguments, scope
from scheduler_service.refusals import refuse

blueprint = resource("functions")

_PLAIN = ("name", "description", "cpu", "memory_size", "timeout", "entry", "count", "latest_version", "project_id")


@blueprint.post("/v1/functions")
def create() -> Response:
    """Add a function; fields that are not known are ignored here."""
    arguments()

    def run() -> Response:
        given, content = _request()
        runs_code = container().settings.scheduler_runner != "off"
        with container().database.transaction() as tx:
            return answer(shown(functions.create(tx, access.caller(), given, content, runs_code=runs_code)), 201)

    return once(access.caller_name(), run)


@blueprint.get("/v1/functions")
def find_many() -> Response:
    """List functions; their code is a text here."""
    rows = container().database.all(functions.sql.list_functions, scope(arguments(SCOPE)))
    return answer({"functions": [{**shown(row), "code": row["code"]} for row in rows]})


@blueprint.get("/v1/functions/<function_id>")
def find(function_id: str) -> Response:
    """Show one function, or give its package."""
    download = wants_download()
    with container().database.transaction() as tx:
        row = functions.find(tx, function_id, access.visible_project())
        if not download:
            return answer(shown(row))
        if row["source"] != "package":
            raise ApiError(405, f"Can not download {row['source']} type function.", headers={"Allow": "GET"})
        return archive(tx.value(functions.sql.package, {"id": row["id"], "version": 0}), str(row["id"]))


@blueprint.put("/v1/functions/<function_id>")
def update(function_id: str) -> Response:
    """Change a function."""
    arguments()
    given, content = _request()
    with container().database.transaction() as tx:
        row = functions.locked(tx, function_id, access.visible_project())
        return answer(shown(functions.update(tx, row, given, content)))


@blueprint.delete("/v1/functions/<function_id>")
def delete(function_id: str) -> Response:
    """Remove a function."""
    arguments()
    with container().database.transaction() as tx:
        functions.delete(tx, functions.locked(tx, function_id, access.visible_project()), access.caller())
    return nothing()


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a function as clients see it when they ask for one."""
    return {
        "id": str(row["id"]),
        **{name: row[name] for name in _PLAIN},
        "runtime_id": row["runtime_id"] and str(row["runtime_id"]),
        "code": orjson.loads(row["code"]),
        "created_at": times.shown(row["created_at"]),
        "updated_at": times.shown(row["updated_at"]),
    }


def wants_download() -> bool:
    """Return whether the query string asks for the package itself."""
    try:
        return boolean(arguments({"download"}).get("download", "false"))
    except ValueError:
        raise refuse("Invalid input for argument download: it must be true or false") from None


def archive(content: bytes, name: str) -> Response:
    """Answer with a package."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, content_type="application/zip")


def _request() -> tuple[dict[str, Any], bytes | None]:
    """Return the fields and the package of a form, or the fields of a JSON object."""
    if request.mimetype not in FORMS:
        return (json_body("function") if request.get_data() else {}), None
    package = request.files.get("package")
    given = {name: value for name, value in request.form.items() if "\x00" not in name}
    return given, package.read() if package else None
