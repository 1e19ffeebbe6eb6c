"""Jobs: created, found, cancelled, tried again."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from psycopg.rows import DictRow

from chassis.database import Database, Transaction
from chassis.errors import ApiError
from workqueue_service import events, outcomes
from workqueue_service.enums import JobProtocol, JobStatus, JobType
from workqueue_service.filepath import normalise
from workqueue_service.outcomes import Backoff, Outcome, header
from workqueue_service.statements import jobs as sql
from workqueue_service.submission import Submission
from workqueue_service.times import wire

PAGE = 2_000


@dataclass(frozen=True)
class Selection:
    """Which of a user's jobs to list; ``None`` filters nothing."""

    limit: int | None = None
    offset: int = 0
    statuses: tuple[JobStatus, ...] | None = None
    type: JobType | None = None


def create(tx: Transaction, user_id: int, wanted: Submission) -> DictRow:
    """Store a job with its first element: the MKDIR itself, for all other types a LIST (spec: workqueue 4.3)."""
    fields = {name: getattr(wanted, name) for name in Submission.__dataclass_fields__}
    options = None if wanted.extra_opts is None else orjson.dumps(wanted.extra_opts).decode()
    job_id = tx.value(sql.create_job, {**fields, "user_id": user_id, "extra_opts": options})
    makes_directory = wanted.type is JobType.MKDIR
    first = {
        "job_id": job_id,
        "type": JobType.MKDIR if makes_directory else JobType.LIST,
        "src_filepath": normalise(wanted.src_filepath),
        "dst_filepath": normalise(wanted.dst_filepath) if makes_directory and wanted.dst_filepath else None,
        "max_tries": wanted.max_tries,
    }
    tx.execute(sql.create_first_element, first)
    job = tx.one(sql.job_by_id, {"id": job_id})
    assert job is not None
    events.job_submitted(tx, job)
    wake(tx, job)
    return job


def wake(tx: Transaction, job: DictRow) -> None:
    """Tell idle workers, in this house and elsewhere, that the job has something to do."""
    tx.execute(sql.wake_workers)
    events.elements_ready(tx, job["id"], job["type"])


def find(db: Database | Transaction, user_id: int, job_id: int) -> DictRow:
    """Return a job of the user; 404 when there is none, also when it is somebody else's."""
    job = db.one(sql.job_of_user, {"id": job_id, "user_id": user_id})
    if job is None:
        raise ApiError(404, f"No job {job_id}")
    return job


def select(db: Database, user_id: int, selection: Selection) -> Iterator[list[DictRow]]:
    """Return the user's jobs in pages, oldest first."""
    statuses = None if selection.statuses is None else [int(status) for status in selection.statuses]
    fixed = {"user_id": user_id, "statuses": statuses, "type": selection.type}
    after, offset, left = -1, selection.offset, selection.limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = db.all(sql.jobs_of_user, {**fixed, "after": after, "offset": offset, "limit": size})
        yield page
        if len(page) < size:
            return
        after, offset, left = page[-1]["id"], 0, None if left is None else left - size


def element(db: Database, user_id: int, job_id: int, element_id: int) -> DictRow:
    """Return an element of a job of the user, or 404."""
    find(db, user_id, job_id)
    row = db.one(sql.element_by_id, {"job_id": job_id, "id": element_id})
    if row is None:
        raise ApiError(404, f"No element {element_id} in job {job_id}")
    return row


def elements(db: Database, job_id: int) -> Iterator[list[DictRow]]:
    """Return the elements of a job in pages, in the order of their ids."""
    after = -1
    while page := db.all(sql.elements_of_job, {"job_id": job_id, "after": after, "limit": PAGE}):
        yield page
        after = page[-1]["id"]


def cancel(tx: Transaction, job: DictRow, backoff: Backoff) -> DictRow:
    """End a job: what is not done counts as failed, and workers are told to stop. 409 when it has ended already."""
    if not end(tx, job["id"], "Cancelled by its user", backoff, cancelled=True):
        job = _again(tx, job["id"])
        if job["cancelled_at"] is None:
            raise ApiError(409, f"Job {job['id']} has ended and cannot be cancelled")
    return _again(tx, job["id"])


def end(tx: Transaction, job_id: int, reason: str, backoff: Backoff, *, cancelled: bool = False) -> bool:
    """End what is not ended of a job, with a reason for people, and return whether there was anything.

    Who works on it loses its lease. Elements that come into being meanwhile are found in the next round.
    """
    found = False
    while rows := tx.all(sql.lock_unfinished_elements, {"job_id": job_id}):
        found = True
        out = [row for row in rows if row["status"] in (JobStatus.SUBMITTED, JobStatus.RUNNING)]
        outcomes.apply(tx, [_ended(job_id, row, reason) for row in out], backoff)
        tx.execute(sql.end_unfinished_elements, {"job_id": job_id, "reason": reason})
    if found and cancelled:
        tx.execute(sql.mark_cancelled, {"id": job_id})
    if found:
        outcomes.announce(tx, [job_id])
    return found


def retry(tx: Transaction, job: DictRow) -> DictRow:
    """Give the failed elements of a job as many attempts again; 409 when nothing has failed for good."""
    failed = tx.all(sql.lock_failed_elements, {"job_id": job["id"]})
    if not failed:
        raise ApiError(409, f"Job {job['id']} has no failed elements to try again")
    tx.execute(sql.renew_failed_elements, {"job_id": job["id"]})
    tx.execute(sql.mark_retried, {"id": job["id"]})
    renewed = _again(tx, job["id"])
    wake(tx, renewed)
    return renewed


def _ended(job_id: int, row: DictRow, reason: str) -> Outcome:
    log = header(row["holder"] or "", -1, wire()) + reason + "\n"
    return Outcome(job_id, row["id"], False, log, row["holder"] or "", True, keeps_lease=False, reason=reason)


def _again(tx: Transaction, job_id: int) -> DictRow:
    job = tx.one(sql.job_by_id, {"id": job_id})
    assert job is not None
    return job


def wanted(job: DictRow) -> Submission:
    """Return what the client wanted when it submitted the job."""
    fields = {name: job[name] for name in Submission.__dataclass_fields__}
    kinds = {"type": JobType(job["type"]), "protocol": JobProtocol(job["protocol"])}
    return Submission(**{**fields, **kinds})
