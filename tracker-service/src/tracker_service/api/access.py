"""Access of workers to projects."""

from flask import Blueprint, Response

from chassis.envelope import ok, refused
from chassis.errors import ApiError
from chassis.tracker_dialect import keeps_rules, parsed_body
from tracker_service import access
from tracker_service.callers import callers, once, require_role, worker, worker_or_none
from tracker_service.container import container
from tracker_service.ids import path_id
from tracker_service.roles import Role

blueprint = Blueprint("access", __name__)

EXISTS = "Project is public, you already have an active request or you already have access to this project"
NO_ACCESS = "Worker did not have access to this project"


@blueprint.get("/project/access_list/<project_id>")
@callers("account:manage_access")
def access_list(project_id: str) -> Response:
    """List who has or asks for access, for accounts with MANAGE_ACCESS (spec: tracker 4.3)."""
    number = path_id(project_id, "Invalid worker id")
    require_role(number, Role.MANAGE_ACCESS)
    return ok({"accesses": access.listed(container().database, number)})


@blueprint.post("/project/request_access")
@callers("worker")
def request_access() -> Response:
    """Ask for access, as a worker; also on public projects, for SUBMIT (spec: tracker 4.3, Q-56)."""
    return once(worker_or_none, _request_access)


def _request_access() -> Response:
    contract = container().contract
    fields = parsed_body(contract, "project_request_access")
    keeps_rules(contract, "project_request_access", fields, "Invalid request")
    caller = worker(401)
    if not access.request(container().database, caller.id, **fields):
        raise ApiError(400, EXISTS)
    return ok()


@blueprint.post("/project/accept_request/<project_id>/<worker_id>")
@callers("account:manage_access")
def accept_request(project_id: str, worker_id: str) -> Response:
    """Grant what a worker asked for, for accounts with MANAGE_ACCESS (spec: tracker 4.3)."""
    project = path_id(project_id, "Invalid worker id")
    worker_number = path_id(worker_id, "Invalid worker id")
    by = require_role(project, Role.MANAGE_ACCESS).id
    return _changed(access.accept(container().database, worker_number, project, by=by))


@blueprint.post("/project/reject_request/<project_id>/<worker_id>")
@callers("account:manage_access")
def reject_request(project_id: str, worker_id: str) -> Response:
    """Refuse a request or take access away, for accounts with MANAGE_ACCESS (spec: tracker 4.3, Q-01)."""
    project = path_id(project_id, "Invalid project id")
    worker_number = path_id(worker_id, "Invalid worker id")
    by = require_role(project, Role.MANAGE_ACCESS).id
    return _changed(access.remove(container().database, worker_number, project, by=by))


def _changed(done: bool) -> Response:
    return ok() if done else refused(200, NO_ACCESS)
