"""`/register`, `/login`, `/logout`, `/account` (spec: tracker 4.6)."""

import time

from flask import Blueprint, Response, request

from auth_service import events
from auth_service.accounts import Account, acceptable
from auth_service.api.requests import caller, is_secure
from auth_service.container import parts
from chassis.database import Transaction
from chassis.envelope import PARSE_FAILED, answer, empty, ok, refused
from chassis.errors import ApiError
from chassis.idempotency import once
from chassis.identity import CredentialRefused, client_address
from chassis.lenient import has_nul
from chassis.tracker_dialect import keeps_rules, parsed_body

routes = Blueprint("accounts", __name__)

BROKEN_RULE = "Invalid register request"


@routes.post("/register")
def register() -> Response:
    """Anyone: make an account and log it in."""
    return once(client_address(request), _register)


def _register() -> Response:
    body = parsed_body(parts().contract, "register")
    keeps_rules(parts().contract, "register", body, BROKEN_RULE)
    if not acceptable(body["username"], body["password"]):
        raise ApiError(400, BROKEN_RULE)
    password_hash = parts().passwords.hash(body["password"])
    with parts().database.transaction() as tx:
        account = parts().accounts.add(tx, body["username"], password_hash)
        session = _new_session(tx, account.id)
    return _with_cookie(ok(), session, parts().sessions.seconds)


@routes.post("/login")
def login() -> Response:
    """Anyone: begin a session."""
    body = parsed_body(parts().contract, "login")
    if has_nul(body):
        raise ApiError(400, PARSE_FAILED)
    address = client_address(request)
    try:
        account = parts().login.account(body["username"], body["password"], address)
    except CredentialRefused as error:
        return refused(403, str(error))
    with parts().database.transaction() as tx:
        session = _new_session(tx, account.id)
        events.login_succeeded(tx, account.username, address)
    return _with_cookie(ok({"manager": account.shown()}), session, parts().sessions.seconds)


@routes.get("/logout")
def logout() -> Response:
    """Anyone: end the session, if there is one."""
    if cookie := request.cookies.get(parts().settings.session_cookie):
        parts().sessions.end(cookie)
    return _with_cookie(empty(), "", 0)


@routes.get("/account")
def show() -> Response:
    """Anyone: who is logged in."""
    principal = caller()
    account: Account | None = parts().accounts.get(principal.id) if principal else None
    if account is None:
        return answer(200, False, content={"logged_in": False})
    return ok({"logged_in": True, "manager": account.shown()})


def _new_session(tx: Transaction, account_id: int) -> str:
    return parts().sessions.start(tx, account_id, request.cookies.get(parts().settings.session_cookie))


def _with_cookie(response: Response, value: str, seconds: int) -> Response:
    response.set_cookie(
        parts().settings.session_cookie,
        value,
        expires=int(time.time()) + seconds if seconds else 0,
        path="/",
        httponly=True,
        secure=is_secure(),
        samesite="Lax",
    )
    return response
