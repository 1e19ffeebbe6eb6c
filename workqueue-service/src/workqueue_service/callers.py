"""Who makes the current request, and whether they may (spec: workqueue 2)."""

from flask import Request, request

from chassis.errors import ApiError
from chassis.identity import CredentialRefused, Kind, Principal
from chassis.internal import require_service
from workqueue_service.container import SERVICE, container
from workqueue_service.statements import house as sql
from workqueue_service.tokens import HandOut, InvalidToken

EVERY_WORKER = "*"
NO_TOKEN = "A valid credential is needed, in X-Token or as a bearer token"  # noqa: S105 - a message
ELEMENT_TOKEN = "HTTP_X_TOKEN"  # noqa: S105 - the name of a header


def user() -> Principal:
    """Return the account that makes the request; anyone else gets 403, never 401 (Q2)."""
    if found := _named_by(request.headers.get("X-Token", "")):
        return found
    try:
        principal = container().identity.principal(request)
    except CredentialRefused as refusal:
        raise ApiError(403, f"{NO_TOKEN}: {refusal}") from None
    if principal is None or principal.kind is not Kind.ACCOUNT:
        raise ApiError(403, NO_TOKEN)
    return principal


def administrator() -> Principal:
    """Return the administrator that makes the request."""
    principal = user()
    if not principal.admin:
        raise ApiError(403, "Only an administrator may do this")
    return principal


def worker() -> Principal:
    """Return the trusted worker that makes the request (spec: workqueue 2.5, W1 to W3)."""
    if _is_of_the_house():
        return Principal(Kind.SERVICE, 0, SERVICE)
    try:
        # X-Token is the element's; the worker's own credential stands elsewhere.
        principal = container().identity.worker(_without(ELEMENT_TOKEN))
    except CredentialRefused as refusal:
        raise ApiError(403, f"A worker's credential is needed: {refusal}") from None
    if not _is_trusted(principal):
        raise ApiError(403, f"Worker {principal.id} is not trusted with transfers: an administrator can change that")
    return principal


def hand_out(job_id: int, element_id: int) -> HandOut:
    """Return the hand-out that the element token of the request proves (spec: workqueue 5.2, steps 1 and 2)."""
    token = request.headers.get("X-Token", "")
    try:
        found = container().tokens.read(token)
    except InvalidToken:
        if not _is_a_users(token):
            raise ApiError(403, "Invalid token") from None
        found = None
    if found is None or (found.job_id, found.element_id) != (job_id, element_id):
        raise ApiError(403, f"Token not valid for element {element_id} of job {job_id}")
    return found


def _named_by(token: str) -> Principal | None:
    """Return the account that a token of the reference's form names; such a token makes nobody an administrator."""
    try:
        found = container().user_tokens.read(token)
    except InvalidToken:
        return None
    return Principal(Kind.ACCOUNT, found.id, found.name, tenant=str(found.id))


def _is_of_the_house() -> bool:
    try:
        return require_service(container().settings.internal_key.get_secret_value(), SERVICE) == SERVICE
    except ApiError:
        return False


def _is_trusted(principal: Principal) -> bool:
    named = container().settings.workqueue_workers
    if EVERY_WORKER in named or str(principal.id) in named:
        return True
    return bool(container().database.value(sql.is_trusted, {"worker_id": principal.id}))


def _is_a_users(token: str) -> bool:
    """Whether the token is a valid credential, though not of an element."""
    if not token or _named_by(token):
        return bool(token)
    only_token = {"HTTP_X_TOKEN": token, "REMOTE_ADDR": request.remote_addr or ""}
    try:
        return container().identity.principal(Request(only_token)) is not None
    except CredentialRefused:
        return False


def _without(variable: str) -> Request:
    return Request({name: value for name, value in request.environ.items() if name != variable})
