"""Jobs: created, changed, deleted (spec: scheduler 2)."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from chassis.database import Transaction
from chassis.identity import Principal
from chassis.queries import Queries
from scheduler_service import cron, events, executions, fields, inputs, occurrences, targets, times
from scheduler_service.refusals import not_found, refuse

sql = Queries.beside(__file__, "jobs.sql")

DUE = "scheduler_due"
"""The channel on which engines hear when a job is due, in seconds since 1970."""

Job = dict[str, Any]

ACTIVE = ("running", "paused")
READ_ONLY = frozenset({"project_id", "created_at", "updated_at"})
MAX_JITTER = 3600
MAX_RETRIES = 10
MAX_RETRY_DELAY = 3600
EXTENSIONS = ("timezone", "misfire_policy", "overlap_policy", "jitter", "retries", "retry_delay")
CHANGEABLE = ("name", "function_input", *EXTENSIONS)


def _zone(value: Any) -> str:
    name: str = fields.text(255)(value)
    if not cron.is_zone(name):
        raise ValueError("There is no such time zone")
    return name


FIELDS: Mapping[str, fields.Reader] = {
    "id": fields.uuid_text,
    "function_id": fields.uuid_text,
    "function_alias": fields.text(255),
    "function_version": fields.integer(0),
    "name": fields.text(255),
    "function_input": inputs.read,
    "pattern": fields.text(255),
    "count": fields.integer(),
    "status": fields.text(255),
    "first_execution_time": fields.text(255),
    "next_execution_time": fields.text(255),
    "timezone": _zone,
    "misfire_policy": fields.choice(("once", "all", "none")),
    "overlap_policy": fields.choice(("allow", "forbid", "replace")),
    "jitter": fields.integer(0, MAX_JITTER),
    "retries": fields.integer(0, MAX_RETRIES),
    "retry_delay": fields.integer(1, MAX_RETRY_DELAY),
}


def read(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request, converted; raise 400 (spec: scheduler 2.2, 2.8)."""
    return fields.read("job", body, FIELDS, READ_ONLY)


def create(tx: Transaction, owner: Principal, values: Mapping[str, Any], now: datetime) -> Job:
    """Add a job to the owner's project; the first check that fails is the answer (spec: scheduler 2.2)."""
    targets.check_named(values)
    job = {
        **dict.fromkeys(("name", "function_id", "function_alias", "function_input", *EXTENSIONS)),
        "function_version": 0,
        **values,
        "id": str(uuid.uuid4()),
        "project_id": owner.tenant,
        "owner_kind": str(owner.kind),
        "owner_id": owner.id,
        "pattern": values.get("pattern") or None,
    }
    first = _first_time(job, now)
    job["count"] = _count(job)
    if job["function_alias"]:
        job |= {"function_id": None, "function_version": 0}
    else:
        job["function_alias"] = None
    targets.resolve(tx, owner.tenant, job)
    planned = {"first_execution_time": first, "next_execution_time": first, "due_at": occurrences.due_at(job, first)}
    row = tx.one(sql.insert_job, job | planned)
    assert row is not None
    _told(tx, events.JOB_CREATED, row)
    return row


def locked(tx: Transaction, job_id: str, project: str | None) -> Job:
    """Return the job as it is until the transaction ends; raise 404."""
    row = tx.one(sql.lock_job, {"id": job_id, "project": project})
    if row is None:
        raise not_found("Job", id=job_id)
    return row


def update(tx: Transaction, job: Job, values: Mapping[str, Any], now: datetime) -> Job:
    """Change a locked job; the first check that fails is the answer (spec: scheduler 2.8)."""
    check_active(job)
    wanted = {**job, **{name: values[name] for name in CHANGEABLE if name in values}}
    wanted["pattern"] = _new_pattern(job, wanted, values.get("pattern"), now)
    wanted["status"] = _new_status(values.get("status", job["status"]))
    wanted["next_execution_time"] = _new_time(job, wanted, values.get("next_execution_time"), now)
    if wanted == job:
        return job
    wanted["due_at"] = occurrences.due_at(wanted, wanted["next_execution_time"])
    row = tx.one(sql.update_job, wanted)
    assert row is not None
    if row["status"] != "running":
        executions.end_retries(tx, row["id"])
    _told(tx, events.JOB_UPDATED, row)
    return row


def delete(tx: Transaction, job_id: str, project: str | None) -> None:
    """Remove a job in any status; its executions stay, and are not retried any more (spec: scheduler 2.10)."""
    row = tx.one(sql.delete_job, {"id": job_id, "project": project})
    if row is None:
        raise not_found("Job", id=job_id)
    executions.end_retries(tx, row["id"])
    events.job_changed(tx, events.JOB_DELETED, row)


def check_active(job: Job) -> None:
    """Raise 400 for a job that is done or cancelled."""
    if job["status"] not in ACTIVE:
        raise refuse("Can not update a finished job.")


def _first_time(job: Job, now: datetime) -> datetime:
    given, pattern = job.get("first_execution_time"), job["pattern"]
    if not given and not pattern:
        raise refuse("pattern or first_execution_time must be specified.")
    start = times.parse(given) if given else None
    if start:
        times.check_notice(start, now)
    if pattern is None:
        assert start is not None
        if job.get("count", 0) > 1:
            raise refuse("pattern must be provided if count is greater than 1.")
        return start
    _check_pattern(pattern, job["timezone"], now)
    return occurrences.following(job, start - timedelta(seconds=1) if start else now)


def _count(job: Job) -> int | None:
    count: int | None = job.get("count")
    if job["pattern"] is None and not count:
        return 1
    if count is not None and count < 1:
        raise refuse("count must be a positive integer.")
    return count


def _check_pattern(pattern: str, zone: str | None, now: datetime) -> None:
    try:
        cron.check(pattern, zone, now)
    except cron.BadPattern:
        raise refuse(f"The specified pattern is not valid: {pattern}") from None


def _new_pattern(job: Job, wanted: Job, given: str | None, now: datetime) -> str | None:
    """Return the pattern; a job stays one-shot or recurring, and an empty one leaves a one-shot as it is."""
    if given is None or (given == "" and job["pattern"] is None):
        return job["pattern"]  # type: ignore[no-any-return]
    if given == "" or job["pattern"] is None:
        raise refuse("Can not change job type.")
    _check_pattern(given, wanted["timezone"], now)
    return given


def _new_status(status: str) -> str:
    if status not in ("running", "paused", "cancelled"):
        raise refuse("Invalid status.")
    return status


def _new_time(job: Job, wanted: Job, given: str | None, now: datetime) -> datetime:
    if given is not None:
        moment = times.parse(given)
        times.check_notice(moment, now)
        return moment
    planned: datetime = job["next_execution_time"]
    if (job["status"], wanted["status"]) == ("paused", "running"):
        if wanted["pattern"]:
            # What was missed while paused is not made up for.
            return occurrences.following(wanted, now)
        times.check_notice(planned, now)
    return planned


def _told(tx: Transaction, type_: str, row: Job) -> None:
    events.job_changed(tx, type_, row)
    if row["status"] == "running":
        tx.execute(sql.ring_engine, {"channel": DUE, "due_at": row["due_at"]})
