"""Workers, as far as the tracker knows them."""

from flask import Blueprint, Response

from chassis.envelope import ok
from tracker_service import principals
from tracker_service.callers import callers
from tracker_service.container import container

blueprint = Blueprint("workers", __name__)


@blueprint.get("/worker/stats")
@callers("anonymous")
def stats() -> Response:
    """Show every worker's closed tasks to anyone (spec: tracker 4.2, Q-49)."""
    return ok({"stats": principals.worker_stats(container().database)})
