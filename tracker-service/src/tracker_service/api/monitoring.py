"""Figures of projects."""

from flask import Blueprint, Response, request

from chassis.envelope import ok, query_number
from chassis.errors import ApiError
from tracker_service import monitoring, projects
from tracker_service.api.projects import require_readable
from tracker_service.callers import callers
from tracker_service.container import container
from tracker_service.ids import path_id

blueprint = Blueprint("monitoring", __name__)

INVALID = "Invalid request"
MOST_SNAPSHOTS = 999
LAST_TIME = 2**31 - 2


@blueprint.get("/project/monitoring/<project_id>")
@callers("anonymous", "account:read")
def latest(project_id: str) -> Response:
    """Show the last snapshots to whoever may read the project (spec: tracker 4.3, Q-17)."""
    number = path_id(project_id, INVALID)
    count = _query("count", MOST_SNAPSHOTS)
    _require_readable(number)
    return ok({"snapshots": monitoring.latest(container().database, number, count)})


@blueprint.get("/project/monitoring-between/<project_id>")
@callers("anonymous", "account:read")
def between(project_id: str) -> Response:
    """Show the snapshots of a time range to whoever may read the project (spec: tracker 4.3, Q-17)."""
    number = path_id(project_id, INVALID)
    start, end = _query("from", LAST_TIME), _query("to", LAST_TIME)
    _require_readable(number)
    return ok({"snapshots": monitoring.between(container().database, number, start, end)})


@blueprint.get("/project/assignees/<project_id>")
@callers("anonymous", "account:read")
def assignees(project_id: str) -> Response:
    """Show who has the project's tasks, to whoever may read it (spec: tracker 4.3, Q-17, Q-33)."""
    number = path_id(project_id, "Invalid worker id")
    _require_readable(number)
    return ok({"assignees": monitoring.assignees(container().database, number)})


def _require_readable(project_id: int) -> None:
    """End the request with 403 for a hidden project; an unknown one has no figures and that is no secret."""
    project = projects.find(container().database, project_id)
    if project is not None:
        require_readable(project)


def _query(name: str, most: int) -> int:
    number = query_number(request.args.get(name))
    if not 1 <= number <= most:
        raise ApiError(400, INVALID)
    return number
