"""`/internal/*`: what other services of the house ask; never routed by the gate."""

import orjson
from flask import Blueprint, Response, request

from auth_service.container import NAME, parts
from chassis.errors import JSON, ApiError
from chassis.identity import CredentialRefused, understand
from chassis.internal import require_service

routes = Blueprint("internal", __name__, url_prefix="/internal")


@routes.before_request
def _services_only() -> None:
    require_service(parts().settings.internal_key.get_secret_value(), NAME)


@routes.post("/resolve")
def resolve() -> Response:
    """Services: whose is this credential? 200 ``{access_token}`` or 401 ``{reason}``."""
    try:
        body = orjson.loads(request.get_data(cache=False))
        credential, address = understand(body), str(body["address"])
    except (ValueError, KeyError, TypeError):
        raise ApiError(400, "Could not parse request") from None
    try:
        grant = parts().resolver.grant(credential, address)
    except CredentialRefused as error:
        return _json(401, {"reason": str(error)})
    seconds = grant.lifetime(parts().settings.resolved_seconds)
    return _json(200, {"access_token": parts().tokens.sign(grant.principal, seconds)})


@routes.get("/accounts/<int:number>")
def account(number: int) -> Response:
    """Services: one account."""
    found = parts().accounts.get(number)
    if found is None:
        raise ApiError(404, "Account not found")
    return _json(200, {"id": found.id, **found.record()})


@routes.get("/workers/<int:number>")
def worker(number: int) -> Response:
    """Services: one worker."""
    found = parts().workers.get(number)
    if found is None:
        raise ApiError(404, "Worker not found")
    return _json(200, {"id": found.id, **found.record()})


def _json(status: int, value: dict[str, object]) -> Response:
    return Response(orjson.dumps(value), status, content_type=JSON)
