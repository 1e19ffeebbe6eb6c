"""Roles of accounts on projects."""

from flask import Blueprint, Response

from chassis.envelope import UNAUTHORIZED, ok
from chassis.errors import ApiError
from chassis.tracker_dialect import keeps_rules, parsed_body
from tracker_service import principals, roles
from tracker_service.callers import account, callers, require_role
from tracker_service.container import container
from tracker_service.ids import path_id
from tracker_service.roles import NotYours, Role, Unknown

blueprint = Blueprint("managers", __name__)

INVALID_ID = "Invalid project id"
INVALID = "Invalid request"


@blueprint.get("/manager/list_for_project/<project_id>")
@callers("account")
def list_for_project(project_id: str) -> Response:
    """List the accounts with a role on a project, for anyone logged in (spec: tracker 4.6)."""
    number = path_id(project_id, INVALID_ID)
    if account() is None:
        raise ApiError(401, UNAUTHORIZED)
    return ok({"managers": roles.managers_of(container().database, number)})


@blueprint.post("/manager/set_role_for_project/<project_id>")
@callers("account:manage_access")
def set_role_for_project(project_id: str) -> Response:
    """Set an account's bits on a project, for accounts with MANAGE_ACCESS (spec: tracker 4.6, Q-05, Q-12)."""
    number = path_id(project_id, INVALID_ID)
    contract = container().contract
    fields = parsed_body(contract, "manager_set_role_for_project")
    caller = require_role(number, Role.MANAGE_ACCESS)
    keeps_rules(contract, "manager_set_role_for_project", fields, INVALID)
    _require_account(fields["manager"])
    try:
        with container().database.transaction() as tx:
            roles.assign(tx, caller, number, fields["manager"], fields["role"])
    except NotYours:
        raise ApiError(403, UNAUTHORIZED) from None
    except Unknown:
        raise ApiError(400, INVALID) from None
    return ok()


def _require_account(account_id: int) -> None:
    """Make sure that a role can refer to the account, which may be too new for the tracker to have met it."""
    db = container().database
    if principals.account_is_known(db, account_id):
        return
    found = container().accounts.find(account_id)
    if found is None:
        raise ApiError(400, INVALID)
    principals.store_account(db, found)
