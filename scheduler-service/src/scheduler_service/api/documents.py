"""Which version of the API this is; needs no credential (spec: scheduler 5.8)."""

from flask import Blueprint, Response

from scheduler_service.api.answers import answer, public_base

blueprint = Blueprint("documents", __name__)


@blueprint.get("/")
def versions() -> Response:
    """List the versions; behind the gate this path belongs to another service."""
    link = {"href": f"{public_base()}/v1", "target": "v1", "rel": "self"}
    return answer({"versions": [{"id": "v1.0", "status": "CURRENT", "links": [link]}]})


@blueprint.get("/v1")
def version() -> Response:
    """Tell where this version is."""
    return answer({"uri": f"{public_base()}/v1"})
