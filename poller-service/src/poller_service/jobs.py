"""Jobs: created, listed, claimed, moved from status to status."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from chassis.database import Database, Transaction
from chassis.queries import Queries
from poller_service import configuration, events
from poller_service.refused import Refused
from poller_service.statuses import Status, may_follow

sql = Queries.beside(__file__)

NEW_JOB = "poller_new_job"
"""The channel on which API processes hear whose job became new; empty: perhaps of everybody."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job; ``configuration`` is the text of a JSON object, ``version`` grows with every change."""

    job_id: int
    user: str
    status: Status
    configuration: str
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of the job table."""
        values = {name: row[name] for name in ("job_id", "configuration", "version", "created_at", "updated_at")}
        return cls(user=row["user_name"], status=Status(row["status"]), **values)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs to list: of a status, of a user, at most ``limit``, with ids above ``after``."""

    status: Status | None = None
    user: str | None = None
    limit: int | None = None
    after: int = 0


def create(tx: Transaction, user: str, fields: Mapping[str, Any]) -> Job:
    """Add a job with status ``new``; raises :class:`Refused` when a field is not acceptable."""
    text = configuration.encode(configuration.flatten(fields))
    row = tx.one(sql.create_job, {"user": user, "configuration": text, "channel": NEW_JOB})
    assert row is not None
    job = Job.of_row(row)
    events.job_created(tx, job.job_id, user, job.version)
    return job


def find(db: Database, job_id: int) -> Job | None:
    """Return the job with this id."""
    return _job(db.one(sql.job_by_id, {"job_id": job_id}))


def select(db: Database, selection: Selection) -> list[Job]:
    """Return the selected jobs, oldest first."""
    values = {name: getattr(selection, name) for name in Selection.__slots__}
    return [Job.of_row(row) for row in db.all(sql.list_jobs, values)]


def oldest_new(db: Database, user: str | None) -> Job | None:
    """Return the next job to run, and leave it as it is (spec: poller 4)."""
    return _job(db.one(sql.oldest_new_job, {"user": user}))


def claim(tx: Transaction, user: str | None) -> Job | None:
    """Take the next job to run: no one else gets it (spec: poller 4, extension)."""
    job = _job(tx.one(sql.claim_job, {"user": user}))
    if job is not None:
        _tell(tx, job, Status.NEW)
    return job


def change_status(tx: Transaction, job_id: int, status: Status) -> Job:
    """Move one job to ``status``; raises :class:`Refused` when there is no such job or way (spec: poller 4)."""
    job = _job(tx.one(sql.lock_job, {"job_id": job_id}))
    if job is None:
        raise Refused(f"there is no job {job_id}")
    if job.status == status:
        return job
    if not may_follow(job.status, status):
        raise Refused(f"job {job_id} is {job.status} and cannot become {status}")
    row = tx.one(sql.change_status, {"job_id": job_id, "status": status})
    assert row is not None
    changed = Job.of_row(row)
    _tell(tx, changed, job.status)
    return changed


def change_every_status(tx: Transaction, status: Status, user: str | None) -> int:
    """Move every job, or every job of a user, to ``status``, whatever it had; return how many changed."""
    rows = tx.all(sql.change_every_status, {"status": status, "user": user})
    with tx.connection.pipeline():
        for row in rows:
            events.status_changed(tx, row["job_id"], row["user_name"], row["status"], row["previous"], row["version"])
        if rows and status is Status.NEW:
            tx.execute(sql.wake_waiting, {"channel": NEW_JOB, "user": user or ""})
    return len(rows)


def _job(row: Mapping[str, Any] | None) -> Job | None:
    return None if row is None else Job.of_row(row)


def _tell(tx: Transaction, job: Job, previous: Status) -> None:
    events.status_changed(tx, job.job_id, job.user, job.status, previous, job.version)
