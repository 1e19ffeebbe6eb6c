"""The command ``tracker.task.submit``: another service submits a task for somebody.

The command names whom the sending service has authenticated, and the tracker's own rules decide:

* a worker needs an accepted SUBMIT on the project, as for ``POST /task/submit`` (spec: tracker 2.4);
* an account needs EDIT on the project or has to be tracker admin (spec: tracker 2.3): who may change a project's
  settings, and so let any worker of their own submit, may as well add its tasks;
* a service has no access of its own.

The task is read, checked and refused with the texts of ``POST /task/submit`` (spec: tracker 4.4).
"""

from typing import Any

import orjson

from chassis import lenient
from chassis.contracts import Contract
from chassis.database import Transaction
from chassis.envelope import PARSE_FAILED
from chassis.errors import ApiError
from chassis.events import Event
from chassis.events.commands import Commands
from chassis.identity import Kind
from tracker_service.events import handlers
from tracker_service.hashing import AmbiguousHash
from tracker_service.roles import Role, may
from tracker_service.submissions import DENIED, DUPLICATE_HASH, NO_PROJECT, Verdict, decide, stored_form

__all__ = ["handlers"]

INVALID = "Invalid task"

commands = Commands("tracker", handlers)


@commands.on("tracker.task.submit", result=["project_id"])
def submit(tx: Transaction, event: Event) -> dict[str, int]:
    """Submit one task, once."""
    task = _checked(event.data["task"])
    verdict = _decide(tx, event.data["principal"], task)
    if verdict.outcome == "no_project":
        raise ApiError(404, NO_PROJECT)
    if verdict.outcome == "denied":
        raise ApiError(403, DENIED)
    if verdict.outcome == "limited":
        raise ApiError(429, f"Too many requests, try again in {verdict.delay:.1f} s")
    if not verdict.stored:
        raise ApiError(409, DUPLICATE_HASH)
    return {"project_id": task["project"]}


def _decide(tx: Transaction, principal: dict[str, Any], task: dict[str, Any]) -> Verdict:
    project = task["project"]
    worker = principal["id"] if principal["kind"] == Kind.WORKER else None
    if worker is None and not (principal["kind"] == Kind.ACCOUNT and may(tx, principal["id"], project, Role.EDIT)):
        raise ApiError(403, DENIED)
    try:
        return decide(tx, project, worker, stored_form([task]))
    except AmbiguousHash:
        raise ApiError(400, INVALID) from None


def _checked(task: dict[str, Any]) -> dict[str, Any]:
    contract = Contract.load("tracker")
    try:
        parsed = lenient.parse(orjson.dumps(task), contract.body("task_submit"))
    except lenient.ParseError:
        raise ApiError(400, PARSE_FAILED) from None
    if not contract.rules("task_submit").is_valid(parsed):
        raise ApiError(400, INVALID)
    return parsed
