"""`/auth/*`: access tokens, their public keys, API keys (DESIGN 4, 11)."""

import time
from typing import Any

import orjson
from flask import Blueprint, Response, request

from auth_service import events
from auth_service.accounts import Account
from auth_service.api.requests import positive
from auth_service.container import parts
from auth_service.resolve import Grant
from chassis.envelope import UNAUTHORIZED, empty
from chassis.errors import JSON, ApiError
from chassis.idempotency import once
from chassis.identity import AccessToken, ApiKey, CredentialRefused, Principal, WorkerSecret, client_address
from chassis.identity.credentials import from_request, worker_secret
from chassis.tracker_dialect import keeps_rules, parsed_body

routes = Blueprint("auth", __name__, url_prefix="/auth")

BROKEN_RULE = "Invalid key request"


@routes.post("/token")
def token() -> Response:
    """Whoever has a credential, in the body or on the request: exchange it for an access token."""
    body = _token_request() if request.get_data() else {}
    try:
        grant = _granted(body)
    except CredentialRefused as error:
        raise ApiError(401, str(error)) from None
    seconds = grant.lifetime(parts().settings.token_seconds)
    access_token = parts().tokens.sign(grant.principal, seconds, from_key=grant.from_key)
    return _json(200, {"access_token": access_token, "token_type": "Bearer", "expires_in": seconds})


@routes.get("/jwks.json")
def jwks() -> Response:
    """Anyone: the public keys of access tokens."""
    return _json(200, {"keys": parts().signing.public()})


@routes.post("/keys")
def create_key() -> Response:
    """Any worker or account, but not by an API key: make an API key."""
    owner = _key_keeper()
    return once(f"{owner.kind}:{owner.id}", lambda: _create_key(owner))


def _create_key(owner: Principal) -> Response:
    body = parsed_body(parts().contract, "auth_key_create")
    keeps_rules(parts().contract, "auth_key_create", body, BROKEN_RULE)
    return _json(201, parts().keys.create(owner, body["name"], _end(body)))


def _end(body: dict[str, Any]) -> int | None:
    """When the key ends, in Unix seconds; asked for as a moment or as a number of seconds from now."""
    now = int(time.time())
    if body["expires_in"] is not None:
        return now + int(body["expires_in"])
    if body["expires_at"] is not None and body["expires_at"] <= now:
        raise ApiError(400, BROKEN_RULE)
    return body["expires_at"]  # type: ignore[no-any-return]


@routes.get("/keys")
def list_keys() -> Response:
    """Any worker or account, but not by an API key: its own API keys."""
    return _json(200, {"keys": parts().keys.of(_key_keeper())})


@routes.delete("/keys/<number>")
def revoke_key(number: str) -> Response:
    """Any worker or account, but not by an API key: revoke one of its own API keys."""
    owner = _key_keeper()
    if not parts().keys.revoke(owner, positive(number, "Invalid key id")):
        raise ApiError(404, "Key not found")
    return empty()


def _token_request() -> dict[str, Any]:
    body = parsed_body(parts().contract, "auth_token")
    keeps_rules(parts().contract, "auth_token", body, "Invalid token request")
    return body


def _granted(body: dict[str, Any]) -> Grant:
    if body.get("username"):
        return Grant(_logged_in(body["username"], body["password"]).principal())
    if body.get("worker_id"):
        return parts().resolver.grant(WorkerSecret(body["worker_id"], body["secret"]), client_address(request))
    return _granted_by_headers()


def _logged_in(username: str, password: str) -> Account:
    address = client_address(request)
    account = parts().login.account(username, password, address)
    with parts().database.transaction() as tx:
        events.login_succeeded(tx, username, address)
    return account


def _granted_by_headers() -> Grant:
    if "X-Worker-ID" in request.headers or "X-Secret" in request.headers:
        return parts().resolver.grant(worker_secret(request.headers), client_address(request))
    credential = from_request(request, parts().settings.session_cookie)
    if credential is None or isinstance(credential, AccessToken):
        raise CredentialRefused(UNAUTHORIZED)
    return parts().resolver.grant(credential, client_address(request))


def _key_keeper() -> Principal:
    """Who may manage keys: a key that leaks must not be able to make itself permanent."""
    try:
        principal = parts().identity.principal(request)
    except CredentialRefused:
        principal = None
    if principal is None:
        raise ApiError(401, UNAUTHORIZED)
    credential = from_request(request, parts().settings.session_cookie)
    by_worker = "X-Worker-ID" in request.headers
    if not by_worker and (
        isinstance(credential, ApiKey)
        or (isinstance(credential, AccessToken) and parts().tokens.is_from_key(credential.value))
    ):
        raise ApiError(403, UNAUTHORIZED)
    return principal


def _json(status: int, value: Any) -> Response:
    return Response(orjson.dumps(value), status, content_type=JSON)
