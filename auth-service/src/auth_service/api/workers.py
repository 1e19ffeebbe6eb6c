"""`/worker/*` (spec: tracker 4.2)."""

from flask import Blueprint, Response, request

from auth_service.api.requests import positive, tracker_admin
from auth_service.container import parts
from auth_service.workers import RESERVED_ALIAS
from chassis.envelope import PARSE_FAILED, UNAUTHORIZED, BadNumber, ok, path_number, refused
from chassis.errors import ApiError
from chassis.idempotency import once
from chassis.identity import CredentialRefused, client_address
from chassis.tracker_dialect import keeps_rules, parsed_body

routes = Blueprint("workers", __name__)

NOT_UPDATED = "Could not update worker"


@routes.post("/worker/create")
def create() -> Response:
    """Anyone: make a worker; credentials in the headers mean nothing here (spec: tracker 15)."""
    return once(client_address(request), _create)


def _create() -> Response:
    alias = _alias("worker_create")
    if alias == RESERVED_ALIAS:
        return refused(403, "You are now allowed to create a worker")
    worker, secret = parts().workers.create(alias)
    return ok({"worker": worker.shown(secret)})


@routes.post("/worker/update")
def update() -> Response:
    """The worker itself: change its alias (spec: tracker Q-44)."""
    try:
        worker = parts().identity.worker(request)
    except CredentialRefused as error:
        return refused(401, str(error))
    alias = _alias("worker_update")
    if alias == RESERVED_ALIAS or not parts().workers.rename(worker.id, alias):
        return refused(200, NOT_UPDATED)
    return ok()


@routes.post("/worker/set_paused")
def set_paused() -> Response:
    """Tracker admins: pause or resume a worker; the tracker's next lease heeds it."""
    account = tracker_admin()
    if account is None:
        return refused(403, UNAUTHORIZED)
    body = parsed_body(parts().contract, "worker_set_paused")
    worker = parts().workers.set_paused(body["worker"], body["paused"], by=account.id)
    if worker is None:
        return refused(400, "Invalid worker")
    parts().tracker.learn(worker)
    return ok()


@routes.get("/worker/get/<number>")
def get(number: str) -> Response:
    """Anyone: one worker; its secret for tracker admins only."""
    try:
        path_number(number)
    except BadNumber as error:
        return refused(400, str(error))
    worker = parts().workers.get(positive(number, "Invalid worker id"))
    if worker is None:
        raise ApiError(404, "Worker not found")
    return ok({"worker": worker.shown(parts().workers.secret(worker.id) if tracker_admin() else None)})


def _alias(operation: str) -> str:
    body = parsed_body(parts().contract, operation)
    keeps_rules(parts().contract, operation, body, PARSE_FAILED)
    return str(body["alias"])
