"""Which version of the API this is; needs no credential (spec: scheduler 5.8)."""

from flask import Blueprint, Response, request

from scheduler_service.api.answers import answer
from scheduler_service.container import container

blueprint = Blueprint("documents", __name__)


@blueprint.get("/")
def versions() -> Response:
    """List the versions; behind the gate this path belongs to another service."""
    link = {"href": f"{_base()}/v1", "target": "v1", "rel": "self"}
    return answer({"versions": [{"id": "v1.0", "status": "CURRENT", "links": [link]}]})


@blueprint.get("/v1")
def version() -> Response:
    """Tell where this version is."""
    return answer({"uri": f"{_base()}/v1"})


def _base() -> str:
    """Return the address under which clients see the service; only a gate's word counts besides the request's own."""
    scheme, host, prefix = request.scheme, request.host, ""
    if container().settings.trusts(request.remote_addr or ""):
        scheme = request.headers.get("X-Forwarded-Proto", scheme)
        host = request.headers.get("X-Forwarded-Host", host)
        prefix = request.headers.get("X-Forwarded-Prefix", prefix).rstrip("/")
    return f"{scheme}://{host}{prefix}"
