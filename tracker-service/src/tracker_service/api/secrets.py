"""The two secrets of a project."""

from flask import Blueprint, Response

from chassis.envelope import PARSE_FAILED, UNAUTHORIZED, ok
from chassis.errors import ApiError
from chassis.tracker_dialect import keeps_rules, parsed_body
from tracker_service import access, secrets
from tracker_service.callers import callers, require_role, worker_or_none
from tracker_service.container import container
from tracker_service.ids import path_id
from tracker_service.roles import Role

blueprint = Blueprint("secrets", __name__)

INVALID_ID = "Invalid project id"


@blueprint.get("/project/secret/<project_id>")
@callers("worker:assign", "account:secret")
def get_secret(project_id: str) -> Response:
    """Tell a worker with granted Assign, or an account with SECRET (spec: tracker 4.3, Q-02).

    A valid worker is judged as a worker alone, whatever session comes along.
    """
    number = path_id(project_id, INVALID_ID)
    db = container().database
    if caller := worker_or_none():
        if not access.may_assign(db, caller.id, number):
            raise ApiError(403, UNAUTHORIZED)
    else:
        require_role(number, Role.SECRET)
    return ok({"secret": secrets.project_secret(db, number)})


@blueprint.post("/project/secret/<project_id>")
@callers("account:secret")
def set_secret(project_id: str) -> Response:
    """Replace what workers may read, for accounts with SECRET (spec: tracker 4.3)."""
    number = path_id(project_id, INVALID_ID)
    require_role(number, Role.SECRET)
    fields = _text("project_secret_set")
    secrets.set_project_secret(container().database, number, fields["secret"])
    return ok()


@blueprint.get("/project/webhook_secret/<project_id>")
@callers("account:secret")
def get_webhook_secret(project_id: str) -> Response:
    """Tell the hook's key to accounts with SECRET (spec: tracker 4.3)."""
    number = path_id(project_id, INVALID_ID)
    require_role(number, Role.SECRET)
    return ok({"webhook_secret": secrets.webhook_secret(container().database, number)})


@blueprint.post("/project/webhook_secret/<project_id>")
@callers("account:secret")
def set_webhook_secret(project_id: str) -> Response:
    """Replace the hook's key, for accounts with SECRET; parsed before the role is looked at (spec: tracker 4.3)."""
    number = path_id(project_id, INVALID_ID)
    fields = _text("project_webhook_secret_set")
    require_role(number, Role.SECRET)
    secrets.set_webhook_secret(container().database, number, fields["webhook_secret"])
    return ok()


def _text(operation: str) -> dict[str, str]:
    fields = parsed_body(container().contract, operation)
    keeps_rules(container().contract, operation, fields, PARSE_FAILED)
    return fields
