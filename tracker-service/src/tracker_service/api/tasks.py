"""Submitting, leasing and releasing tasks (spec: tracker 4.4)."""

import select
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request
from gevent.monkey import get_original

from chassis.envelope import PARSE_FAILED, ok, query_number, refused, too_many_requests
from chassis.errors import ApiError
from chassis.idempotency import once
from chassis.tracker_dialect import keeps_rules, parsed_body
from tracker_service import callers as who
from tracker_service import leases
from tracker_service.callers import callers
from tracker_service.claims import LARGEST, LONGEST_WAIT, Claim, Outcome
from tracker_service.container import container
from tracker_service.hashing import AmbiguousHash
from tracker_service.ids import path_id
from tracker_service.releases import NOT_CLOSED, Release
from tracker_service.submissions import DENIED, DUPLICATE_HASH, NO_PROJECT, Submission, Verdict, stored_form

blueprint = Blueprint("tasks", __name__)

PAUSED = "A manager has paused you"
INVALID_PROJECT = "Invalid project id"
RETRY_SECONDS = 1


@blueprint.post("/task/submit")
@callers("worker:submit")
def submit() -> Response:
    """Submit one task."""
    worker = who.worker(401).id
    return once(f"worker/{worker}", lambda: _submit(worker))


@blueprint.post("/task/bulk_submit")
@callers("worker:submit")
def bulk_submit() -> Response:
    """Submit many tasks of one project; those whose hash is there already are skipped (spec: tracker Q-03)."""
    worker = who.worker(401).id
    return once(f"worker/{worker}", lambda: _bulk_submit(worker))


@blueprint.get("/task/get/<project>")
@callers("worker:assign")
def get(project: str) -> Response:
    """Lease a task of one project."""
    worker = who.worker(403).id
    try:
        project_id = path_id(project, INVALID_PROJECT)
    except ApiError:
        if container().claims.is_paused(worker):
            raise ApiError(400, PAUSED) from None
        raise
    return _lease(worker, project_id)


@blueprint.get("/task/get")
@callers("worker:assign")
def get_any() -> Response:
    """Lease a task of any project that the worker may work for, by the priority of projects."""
    return _lease(who.worker(403).id, 0)


@blueprint.post("/task/release")
@callers("worker")
def release() -> Response:
    """Give a task back."""
    worker = who.worker(403).id
    body = parsed_body(container().contract, "task_release")
    if not body["task_id"]:
        raise ApiError(400, "Invalid request")
    if container().releases.release(_release(worker, body)):
        return ok({"updated": True})
    return ok({"updated": False}, NOT_CLOSED)


@blueprint.post("/task/bulk_release")
@callers("worker")
def bulk_release() -> Response:
    """Give many tasks back."""
    worker = who.worker(403).id
    body = parsed_body(container().contract, "task_bulk_release")
    if not body["releases"]:
        raise ApiError(400, PARSE_FAILED)
    keeps_rules(container().contract, "task_bulk_release", body, "Invalid request")
    releases = [_release(worker, item) for item in body["releases"]]
    updates = container().releases.release_all(releases)
    return ok({"results": [_result(item.task, updated) for item, updated in zip(releases, updates, strict=True)]})


@blueprint.post("/task/renew")
@callers("worker")
def renew() -> Response:
    """Prolong a lease."""
    worker = who.worker(403).id
    body = parsed_body(container().contract, "task_renew")
    keeps_rules(container().contract, "task_renew", body, "Invalid request")
    lease = leases.renew(container().database, body["task_id"], worker, body["max_assign_time"])
    return refused(200, leases.NOT_HELD) if lease is None else ok(lease)


def _submit(worker: int) -> Response:
    task = parsed_body(container().contract, "task_submit")
    keeps_rules(container().contract, "task_submit", task, "Invalid task")
    verdict = container().submissions.submit(_submission(worker, [task], "Invalid task"))
    if refusal := _refusal(verdict):
        return refusal
    return ok() if verdict.stored else refused(400, DUPLICATE_HASH)


def _bulk_submit(worker: int) -> Response:
    body = parsed_body(container().contract, "task_bulk_submit")
    tasks = body["requests"]
    if not tasks:
        raise ApiError(400, PARSE_FAILED)
    keeps_rules(container().contract, "task_bulk_submit", body, "Invalid request")
    submission = _submission(worker, tasks, "Invalid request")
    if any(task["project"] != submission.project for task in tasks):
        raise ApiError(400, "All the tasks in a bulk submit must be of the same project")
    verdict = container().submissions.submit_many(submission)
    return _refusal(verdict) or ok({"submitted": verdict.stored, "skipped": len(tasks) - verdict.stored})


def _submission(worker: int, tasks: list[dict[str, Any]], message: str) -> Submission:
    try:
        return Submission(worker, tasks[0]["project"], stored_form(tasks))
    except AmbiguousHash:
        raise ApiError(400, message) from None


def _refusal(verdict: Verdict) -> Response | None:
    if verdict.outcome == "no_project":
        return refused(404, NO_PROJECT)
    if verdict.outcome == "denied":
        return refused(400, DENIED)
    if verdict.outcome == "limited":
        return too_many_requests(verdict.delay)
    return None


def _lease(worker: int, project: int) -> Response:
    count = min(query_number(request.args.get("count")), LARGEST)
    wait = min(query_number(request.args.get("wait")), LONGEST_WAIT)
    claim = Claim(worker, project, count or 1)
    claims = container().claims
    outcome = claims.lease_or_wait(claim, wait, _client_is_gone()) if wait else claims.lease(claim)
    return _leased(outcome, batch=count > 0)


def _leased(outcome: Outcome, *, batch: bool) -> Response:
    if outcome.tasks:
        first = outcome.tasks[0]
        return ok({"task": first, "tasks": outcome.tasks} if batch else {"task": first})
    if outcome.reason == "paused":
        return refused(400, PAUSED)
    if outcome.reason == "no_project":
        return refused(404, NO_PROJECT)
    if outcome.reason == "limited":
        return too_many_requests(outcome.delay)
    response = refused(200, "No task available")
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _release(worker: int, body: Mapping[str, Any]) -> Release:
    return Release(body["task_id"], worker, body["result"], body["verification"])


def _result(task: int, updated: bool) -> dict[str, Any]:
    return {"task_id": task, "updated": updated, **({} if updated else {"message": NOT_CLOSED})}


def _client_is_gone() -> Callable[[], bool]:
    """Return a function that says whether the client has closed its connection meanwhile."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        return lambda: False

    def gone() -> bool:
        # gevent's own poll does not know POLLRDHUP; with a timeout of 0 the original does not block.
        poll = get_original("select", "poll")()
        poll.register(connection, select.POLLRDHUP)
        return bool(poll.poll(0))

    return gone
