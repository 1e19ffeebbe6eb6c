"""Reports of workers, written and read."""

from flask import Blueprint, Response

from chassis.envelope import PARSE_FAILED, UNAUTHORIZED, ok
from chassis.errors import ApiError
from chassis.tracker_dialect import keeps_rules, parsed_body
from tracker_service import logs
from tracker_service.callers import account, callers, worker
from tracker_service.container import container
from tracker_service.logs import LogEntry

blueprint = Blueprint("logs", __name__)


@blueprint.post("/log/<any(trace, info, warn, error):level>")
@callers("worker")
def write(level: str) -> Response:
    """Take a report of a worker; every refusal is 400 with the same text (spec: tracker 4.5, DESIGN 10)."""
    caller = worker(400, PARSE_FAILED)
    contract = container().contract
    fields = parsed_body(contract, f"log_{level}")
    keeps_rules(contract, f"log_{level}", fields, PARSE_FAILED)
    container().log_writer.add(LogEntry(level, caller.id, fields["scope"], fields["message"], fields["timestamp"]))
    return ok()


@blueprint.post("/logs")
@callers("anonymous")
def read() -> Response:
    """Show the newest reports of one level to anyone, or to accounts alone where so configured (spec: tracker 4.5)."""
    contract = container().contract
    fields = parsed_body(contract, "logs")
    keeps_rules(contract, "logs", fields, "Invalid log request")
    if container().settings.logs_require_manager and account() is None:
        raise ApiError(401, UNAUTHORIZED)
    return ok({"logs": logs.newest(container().database, fields["level"], fields["since"])})
