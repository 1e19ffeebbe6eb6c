"""The one endpoint: ``request`` says what is wanted (spec: poller 1)."""

from collections.abc import Callable
from functools import partial
from time import monotonic

from flask import Blueprint, Response, request

from chassis.idempotency import once
from poller_service import access, answers, jobs
from poller_service.container import container
from poller_service.jobs import Job, Selection
from poller_service.parameters import MAX_ID, Parameters
from poller_service.refused import Refused
from poller_service.statuses import Status

MAX_WAIT = 60
MAX_LIMIT = 10_000

blueprint = Blueprint("poller", __name__)
blueprint.before_request(access.require)

Operation = Callable[[Parameters], Response]


@blueprint.get("/poller/update")
@blueprint.get("/poller/update/")
def read() -> Response:
    """Look at jobs; changes nothing."""
    parameters = Parameters.of_query(request)
    return READS[parameters.choice("request", READS)](parameters)


@blueprint.post("/poller/update")
@blueprint.post("/poller/update/")
def write() -> Response:
    """Create a job, or change the status of one or of many."""
    parameters = Parameters.of_body(request)
    return WRITES[parameters.choice("request", WRITES)](parameters)


def _list(status: Status | None, parameters: Parameters) -> Response:
    selection = Selection(
        status,
        parameters.optional_user(),
        parameters.number("limit", 1, MAX_LIMIT),
        parameters.number("after", 0, MAX_ID) or 0,
    )
    parameters.end("user", "limit", "after")
    return answers.many(jobs.select(container().database, selection))


def _next(parameters: Parameters) -> Response:
    user, wait = parameters.optional_user(), parameters.seconds("wait", MAX_WAIT)
    parameters.end("user", "wait")
    return answers.upcoming(_await_new(user, wait))


def _await_new(user: str | None, wait: float) -> Job | None:
    """Return the next job to run as soon as there is one, ``None`` after ``wait`` seconds or when the process ends."""
    deadline = monotonic() + wait
    arrivals = container().arrivals
    with arrivals.waiting(user) as bell:
        while (job := jobs.oldest_new(container().database, user)) is None:
            if arrivals.closed or not bell.wait(max(0.0, deadline - monotonic())):
                return None
            bell.clear()
    return job


def _job(parameters: Parameters) -> Response:
    job_id = parameters.job_id()
    parameters.end("job_id")
    return answers.one(jobs.find(container().database, job_id))


def _create(parameters: Parameters) -> Response:
    user, fields = parameters.user(), parameters.rest()

    def create() -> Response:
        with container().database.transaction() as tx:
            return answers.one(jobs.create(tx, user, fields))

    return once(access.caller(), create)


def _change(status: Status, parameters: Parameters) -> Response:
    job_id = parameters.job_id()
    parameters.end("job_id")
    with container().database.transaction() as tx:
        return answers.one(jobs.change_status(tx, job_id, status))


def _change_all(parameters: Parameters) -> Response:
    status, user = parameters.status(), parameters.optional_user()
    parameters.end("status", "user")
    with container().database.transaction() as tx:
        return answers.updated(jobs.change_every_status(tx, status, user))


def _claim(parameters: Parameters) -> Response:
    user = parameters.optional_user()
    if parameters.number("claim", 1, 1) is None:
        raise Refused("request=next by POST claims the job and must say so with claim=1")
    parameters.end("claim", "user")
    with container().database.transaction() as tx:
        return answers.upcoming(jobs.claim(tx, user))


READS: dict[str, Operation] = {
    "all": partial(_list, None),
    **{status: partial(_list, status) for status in Status},
    "next": _next,
    "job": _job,
}
WRITES: dict[str, Operation] = {
    "all": _change_all,
    "new": _create,
    **{status: partial(_change, status) for status in Status if status is not Status.NEW},
    "next": _claim,
}
