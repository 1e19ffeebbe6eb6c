"""`/manager/*`, as far as it is about accounts (spec: tracker 4.6)."""

from flask import Blueprint, Response

from auth_service.api.requests import caller, positive, refuse_foreign_pages
from auth_service.container import parts
from chassis.envelope import UNAUTHORIZED, empty, ok, refused

routes = Blueprint("managers", __name__)

INVALID_ID = "Invalid manager id"


@routes.get("/manager/list")
def show_all() -> Response:
    """Any account: every account."""
    if caller() is None:
        return refused(401, UNAUTHORIZED)
    return ok({"managers": [account.shown() for account in parts().accounts.all()]})


@routes.get("/manager/promote/<number>")
def promote(number: str) -> Response:
    """Tracker admins, not for themselves: make an account tracker admin."""
    account_id = positive(number, INVALID_ID)
    refuse_foreign_pages()
    account = caller()
    if account is None or not account.admin or account.id == account_id:
        return refused(401, UNAUTHORIZED)
    parts().accounts.set_tracker_admin(account_id, True, by=account.id)
    return empty()


@routes.get("/manager/demote/<number>")
def demote(number: str) -> Response:
    """Tracker admins, not for themselves: take tracker admin from an account."""
    account_id = positive(number, INVALID_ID)
    refuse_foreign_pages()
    account = caller()
    if account is None:
        return refused(401, UNAUTHORIZED)
    if not account.admin or account.id == account_id:
        return refused(403, UNAUTHORIZED)
    parts().accounts.set_tracker_admin(account_id, False, by=account.id)
    return empty()
