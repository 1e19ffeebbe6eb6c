"""What managers do to all tasks of a project at once (spec: tracker 4.3, 5.6)."""

from collections.abc import Callable

from flask import Blueprint, Response

from chassis.database import Database
from chassis.envelope import ok
from tracker_service import maintenance
from tracker_service.callers import callers, require_role
from tracker_service.container import container
from tracker_service.ids import path_id
from tracker_service.roles import Role

blueprint = Blueprint("maintenance", __name__)


@blueprint.post("/project/reset_failed_tasks/<project>")
@callers("account:maintenance")
def reset_failed_tasks(project: str) -> Response:
    """Let failed tasks start again."""
    return _affected(project, maintenance.reset_failed)


@blueprint.post("/project/reclaim_assigned_tasks/<project>")
@callers("account:maintenance")
def reclaim_assigned_tasks(project: str) -> Response:
    """Take leased tasks back."""
    return _affected(project, maintenance.reclaim_assigned)


@blueprint.post("/project/hard_reset/<project>")
@callers("account:maintenance")
def hard_reset(project: str) -> Response:
    """Delete all tasks."""
    return _affected(project, maintenance.hard_reset)


def _affected(project: str, change: Callable[[Database, int], int]) -> Response:
    project_id = path_id(project, "Invalid project id")
    require_role(project_id, Role.MAINTENANCE)
    return ok({"affected_tasks": change(container().database, project_id)})
