"""The part of the reference's users service that its command line needs to begin: the log-in (spec: workqueue 7.3)."""

from base64 import b64encode

from flask import Blueprint, Request, Response, request

from chassis.errors import ApiError
from chassis.identity import CredentialRefused, Kind
from workqueue_service import answers, fields
from workqueue_service.api import routes
from workqueue_service.container import container
from workqueue_service.usertokens import User

blueprint: Blueprint = routes.blueprint("users", routes.USERS)

MAX_LENGTH = 1000
OTHER_CREDENTIALS = ("HTTP_X_TOKEN", "HTTP_X_AUTH_TOKEN", "HTTP_COOKIE", "HTTP_X_WORKER_ID", "HTTP_X_SECRET")


@blueprint.post("/login")
def log_in() -> Response:
    """Return a token for an account's name and password, as a JSON text."""
    body = fields.json_object()
    fields.require(body, ["email", "passwd"])
    name = fields.text(body, "email", MAX_LENGTH, shortest=1)
    password = fields.text(body, "passwd", MAX_LENGTH, shortest=1)
    if ":" in name:
        raise fields.refuse("email must not hold a colon")
    try:
        principal = container().identity.principal(_with_password(name, password))
    except CredentialRefused:
        principal = None
    if principal is None or principal.kind is not Kind.ACCOUNT:
        raise ApiError(403, "Unknown user or wrong password")
    return answers.of(container().user_tokens.issue(User(principal.id, principal.name)))


def _with_password(name: str, password: str) -> Request:
    """Return the request as auth-service judges it: with this credential and no other, from the same client."""
    basic = b64encode(f"{name}:{password}".encode()).decode()
    kept = {key: value for key, value in request.environ.items() if key not in OTHER_CREDENTIALS}
    return Request({**kept, "HTTP_AUTHORIZATION": f"Basic {basic}"})
