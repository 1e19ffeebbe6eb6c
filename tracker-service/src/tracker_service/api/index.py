"""The root of the API."""

from flask import Blueprint, Response

from chassis.envelope import ok
from tracker_service.callers import callers

blueprint = Blueprint("index", __name__)


@blueprint.get("/")
@callers("anonymous")
def index() -> Response:
    """Say what this is (spec: tracker 4.1)."""
    return ok({"name": "task_tracker", "version": "1.1"})
