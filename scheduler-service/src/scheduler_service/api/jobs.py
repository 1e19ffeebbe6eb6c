"""``/v1/jobs`` (spec: scheduler 2)."""

from typing import Any

from flask import Response

from chassis.idempotency import once
from scheduler_service import access, executions, jobs, occurrences, times
from scheduler_service.api.answers import answer, nothing, resource
from scheduler_service.api.executions import shown as shown_execution
from scheduler_service.container import container
from scheduler_service.fields import json_body, path_id
from scheduler_service.filters import SCOPE, arguments, parameters, scope
from scheduler_service.refusals import not_found, refuse

blueprint = resource("jobs")

FILTERS = ("status", "name", "function_id", "function_alias")
MAX_NEXT = 100
MAX_RUNS = 1000
_PLAIN = ("name", "function_alias", "function_version", "function_input", "status", "pattern", "count", "project_id")
_TIMES = ("first_execution_time", "next_execution_time", "created_at", "updated_at")


@blueprint.post("/v1/jobs")
def create() -> Response:
    """Add a job."""
    arguments()

    def run() -> Response:
        values = jobs.read(json_body("job"))
        with container().database.transaction() as tx:
            return answer(shown(jobs.create(tx, access.caller(), values, container().clock())), 201)

    return once(access.caller_name(), run)


@blueprint.get("/v1/jobs")
def find_many() -> Response:
    """List jobs."""
    given = arguments(SCOPE | set(FILTERS))
    values = scope(given)
    for name in FILTERS:
        values |= parameters(name, given.get(name))
    return answer({"jobs": [shown(row) for row in container().database.all(jobs.sql.list_jobs, values)]})


@blueprint.get("/v1/jobs/<job_id>")
def find(job_id: str) -> Response:
    """Show one job."""
    arguments()
    return answer(shown(_job(job_id)))


@blueprint.put("/v1/jobs/<job_id>")
def update(job_id: str) -> Response:
    """Change a job."""
    arguments()
    known, values = path_id(job_id), jobs.read(json_body("job"))
    with container().database.transaction() as tx:
        job = jobs.locked(tx, known, access.visible_project())
        return answer(shown(jobs.update(tx, job, values, container().clock())), 202)


@blueprint.delete("/v1/jobs/<job_id>")
def delete(job_id: str) -> Response:
    """Remove a job."""
    arguments()
    with container().database.transaction() as tx:
        jobs.delete(tx, path_id(job_id), access.visible_project())
    return nothing()


@blueprint.route("/v1/jobs", methods=["PUT", "DELETE"])
def without_id() -> Response:
    """Refuse what needs an id."""
    raise refuse('Missing argument: "id"')


@blueprint.post("/v1/jobs/<job_id>/run")
def run_now(job_id: str) -> Response:
    """Run an active job's function now, besides its occurrences."""
    arguments()
    known = path_id(job_id)

    def run() -> Response:
        with container().database.transaction() as tx:
            job = jobs.locked(tx, known, access.visible_project())
            if job["status"] not in jobs.ACTIVE:
                raise refuse("Can not run a finished job.")
            return answer(shown_execution(executions.of_job(tx, job, container().settings.scheduler_patience)), 202)

    return once(access.caller_name(), run)


@blueprint.get("/v1/jobs/<job_id>/next")
def upcoming(job_id: str) -> Response:
    """Tell when an active job is due next."""
    count = _number(arguments({"count"}), "count", 5, MAX_NEXT)
    job = _job(job_id)
    return answer({"next": [times.shown(moment) for moment in _upcoming(job, count)]})


@blueprint.get("/v1/jobs/<job_id>/runs")
def runs(job_id: str) -> Response:
    """Tell what became of the latest occurrences."""
    limit = _number(arguments({"limit"}), "limit", 100, MAX_RUNS)
    rows = container().database.all(jobs.sql.runs_of_job, {"id": _job(job_id)["id"], "limit": limit})
    return answer({"runs": [_shown_run(row) for row in rows]})


def shown(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job as clients see it: 14 keys, and those of the extensions that it uses (spec: scheduler 2.1)."""
    return {
        "id": str(job["id"]),
        "function_id": job["function_id"] and str(job["function_id"]),
        **{name: job[name] for name in _PLAIN},
        **{name: times.shown(job[name]) for name in _TIMES},
        **{name: job[name] for name in jobs.EXTENSIONS if job[name] is not None},
    }


def _job(job_id: str) -> dict[str, Any]:
    known = path_id(job_id)
    row = container().database.one(jobs.sql.job_by_id, {"id": known, "project": access.visible_project()})
    if row is None:
        raise not_found("Job", id=known)
    return row


def _upcoming(job: dict[str, Any], count: int) -> list[Any]:
    if job["status"] not in jobs.ACTIVE:
        return []
    moments = [job["next_execution_time"]]
    most = 1 if job["pattern"] is None else min(count, job["count"] or count)
    while len(moments) < most:
        moments.append(occurrences.following(job, moments[-1]))
    return moments


def _number(given: dict[str, str], name: str, default: int, highest: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:10]) <= highest):
        raise refuse(f"{name} must be an integer from 1 to {highest}")
    return int(text)


def _shown_run(row: dict[str, Any]) -> dict[str, Any]:
    planned, started = row["planned_time"], row["created_at"]
    return {
        "planned_time": times.shown(planned),
        "started_at": times.shown(started),
        "lateness": planned and round((started - planned).total_seconds(), 3),
        "execution_id": str(row["id"]),
        "status": row["status"],
        "attempts": row["retried"] + 1,
    }
