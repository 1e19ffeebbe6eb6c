"""`/v3`: as much of Keystone as its clients need to log in with a password (DESIGN 10)."""

import time
from typing import Any

import orjson
from flask import Blueprint, Response, request

from auth_service import events, keystone
from auth_service.accounts import Account
from auth_service.container import parts
from chassis.errors import JSON, ApiError, render
from chassis.identity import CredentialRefused, client_address
from chassis.lenient import has_nul
from chassis.public_address import public_base

routes = Blueprint("keystone", __name__, url_prefix="/v3")

REFUSED = "The request you have made requires authentication."
MALFORMED = "Expecting to find auth with identity, methods and password in the request body."


@routes.get("")
@routes.get("/")
def version() -> Response:
    """Anyone: which version of the Identity API this is."""
    return _json(200, keystone.version(_base()))


@routes.post("/auth/tokens")
def authenticate() -> Response:
    """Whoever has an account's name and password: begin with an access token."""
    body = _body()
    login = keystone.read(body)
    if login is None or not login.in_domain():
        raise ApiError(401, REFUSED)
    account = _logged_in(login)
    seconds, issued = parts().settings.token_seconds, int(time.time())
    answer = keystone.token(account, issued, seconds, _base(), scoped=login.scope != "unscoped")
    response = _json(201, answer)
    response.headers["X-Subject-Token"] = parts().tokens.sign(account.principal(), seconds)
    response.headers["Vary"] = "X-Auth-Token"
    return response


@routes.errorhandler(ApiError)
def refused(error: ApiError) -> Response:
    """Say in Keystone's form what is wrong."""
    body, media_type = render("keystone", error.status, error.message, error.extra)
    return Response(body, error.status, error.headers, content_type=media_type)


def _body() -> dict[str, Any]:
    try:
        body = orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError:
        raise ApiError(400, MALFORMED) from None
    if has_nul(body) or not parts().contract.rules("keystone_authenticate").is_valid(body):
        raise ApiError(400, MALFORMED)
    return body  # type: ignore[no-any-return]


def _logged_in(login: keystone.Login) -> Account:
    """Return the account; whether the scope fits is looked at when the password is known to be right."""
    address = client_address(request)
    username = login.user.get("name") or _name_of(login.user["id"])
    try:
        account = parts().login.account(username, login.password, address)
    except CredentialRefused:
        raise ApiError(401, REFUSED) from None
    if not login.fits(account):
        raise ApiError(401, REFUSED)
    with parts().database.transaction() as tx:
        events.login_succeeded(tx, account.username, address)
    return account


def _name_of(user_id: str) -> str:
    """Return the name that belongs to an id, or one that nobody has."""
    digits = user_id.isascii() and user_id.isdecimal() and len(user_id) < 19
    account = parts().accounts.get(int(user_id)) if digits else None
    return account.username if account else "-" * 8


def _base() -> str:
    return public_base(request, parts().settings)


def _json(status: int, value: Any) -> Response:
    return Response(orjson.dumps(value), status, content_type=JSON)
