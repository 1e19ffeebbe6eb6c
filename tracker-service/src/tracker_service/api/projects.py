"""Projects: create, read, replace, list."""

from typing import Any

from flask import Blueprint, Response

from chassis.envelope import UNAUTHORIZED, ok
from chassis.errors import ApiError
from chassis.identity import Principal
from chassis.tracker_dialect import keeps_rules, parsed_body
from tracker_service import projects
from tracker_service.callers import account, callers, once, require_role
from tracker_service.container import container
from tracker_service.ids import path_id
from tracker_service.projects import ChainLoop
from tracker_service.roles import Role

blueprint = Blueprint("projects", __name__)

NOT_PERMITTED = "You are not permitted to create a project with this configuration"
NO_CHAIN_ROLE = "Unauthorized (You need RoleEdit on the project you wish to chain tasks to)"


@blueprint.post("/project/create")
@callers("account")
def create() -> Response:
    """Create a project for a logged-in account; public ones for admins only (spec: tracker 4.3)."""
    return once(account, _create)


def _create() -> Response:
    fields = parsed_body(container().contract, "project_create")
    keeps_rules(container().contract, "project_create", fields, "Invalid project")
    creator = account()
    if creator is None or not _may_create(creator, fields):
        raise ApiError(400, NOT_PERMITTED)
    with container().database.transaction() as tx:
        return ok({"id": projects.create(tx, fields, creator.id)})


def _may_create(creator: Principal, fields: dict[str, Any]) -> bool:
    if fields["public"] and not creator.admin:
        return False
    db, target = container().database, fields["chain"]
    return not target or (projects.find(db, target) is not None and projects.may_chain_to(db, creator, target))


@blueprint.get("/project/get/<project_id>")
@callers("anonymous", "account:read")
def get(project_id: str) -> Response:
    """Show a project to anyone, a hidden one to those with READ (spec: tracker 4.3, DESIGN 10)."""
    project = projects.find(container().database, path_id(project_id, "Invalid worker id"))
    if project is None:
        raise ApiError(404, projects.NOT_FOUND)
    require_readable(project)
    return ok({**project, "project": project})


def require_readable(project: dict[str, Any]) -> None:
    """End the request with 403 unless the caller may read this project (spec: tracker 2.4).

    Only for a hidden one does it matter who asks.
    """
    if project["hidden"] and not projects.may_read(container().database, project, account()):
        raise ApiError(403, UNAUTHORIZED)


@blueprint.post("/project/update/<project_id>")
@callers("account:edit")
def update(project_id: str) -> Response:
    """Replace a project, for accounts with EDIT on it and on the project it chains to (spec: tracker 4.3)."""
    number = path_id(project_id, "Invalid project id")
    contract = container().contract
    fields = parsed_body(contract, "project_update")
    keeps_rules(contract, "project_update", fields, "Invalid request")
    if fields["chain"] == number:
        raise ApiError(400, "Invalid request")
    editor = require_role(number, Role.EDIT)
    if not projects.may_chain_to(container().database, editor, fields["chain"]):
        raise ApiError(403, NO_CHAIN_ROLE)
    try:
        _replace(number, fields, editor)
    except ChainLoop:
        raise ApiError(400, "Invalid request") from None
    return ok()


def _replace(project_id: int, fields: dict[str, Any], editor: Principal) -> None:
    with container().database.transaction() as tx:
        project = projects.lock(tx, project_id)
        if project is None:
            raise ApiError(404, projects.NOT_FOUND)
        if fields["public"] and not project["public"] and not editor.admin:
            raise ApiError(403, UNAUTHORIZED)
        projects.replace(tx, project_id, fields)


@blueprint.get("/project/list")
@callers("anonymous", "account:read")
def list_all() -> Response:
    """List the projects that the caller may read, by name (spec: tracker 4.3)."""
    return ok({"projects": projects.visible(container().database, account())})
