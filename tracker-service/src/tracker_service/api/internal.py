"""What other services of the house tell the tracker directly; never routed at the gate."""

from typing import Any

import orjson
from flask import Blueprint, Response, request
from pydantic import TypeAdapter, ValidationError

from chassis.errors import ApiError
from chassis.internal import require_service
from tracker_service.container import SERVICE, container
from tracker_service.principals import Worker, store_worker, tell_worker_changed

blueprint = Blueprint("internal", __name__)

_worker = TypeAdapter(Worker)


@blueprint.route("/internal/workers/<int:worker_id>", methods=["PUT", "POST"])
def worker(worker_id: int) -> Response:
    """Take a worker's new record from auth-service, so that a pause holds when the answer is there (DESIGN 4)."""
    if require_service(container().settings.internal_key.get_secret_value(), SERVICE) != "auth":
        raise ApiError(403, "Unauthorized")
    record = _record({**_object(), "id": worker_id})
    with container().database.transaction() as tx:
        store_worker(tx, record)
        tell_worker_changed(tx, record.id)
    return Response(b"{}", content_type="application/json")


def _object() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    return body if isinstance(body, dict) else {}


def _record(fields: dict[str, Any]) -> Worker:
    try:
        return _worker.validate_json(orjson.dumps(fields), strict=True)
    except ValidationError:
        raise ApiError(400, "Invalid worker") from None
