"""Push hooks of forges."""

import structlog
from flask import Blueprint, Response, request

from chassis.envelope import empty
from chassis.errors import TEXT
from tracker_service import githook
from tracker_service.callers import callers
from tracker_service.container import container
from tracker_service.githook import BadPush, BadSignature

blueprint = Blueprint("git", __name__)
log = structlog.get_logger()


@blueprint.post("/git/receivehook")
@callers("signature")
def receive() -> Response:
    """Take a push that the key of a project has signed (spec: tracker 4.7)."""
    settings = container().settings
    try:
        updated = githook.receive(
            container().database,
            request.get_data(cache=False),
            request.headers.get(settings.webhook_signature_header, ""),
            digest=settings.webhook_hash,
            branches=settings.production_branches,
        )
    except BadPush:
        return empty(400)
    except BadSignature:
        return Response(BadSignature.__doc__, 403, content_type=TEXT)
    log.info("push_received", projects=updated)
    return empty(200)
