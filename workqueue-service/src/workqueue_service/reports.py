"""Results that workers report (spec: workqueue 5.2). All effects of one call are one transaction."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
from psycopg.rows import DictRow

from chassis.database import Transaction
from chassis.errors import ApiError
from workqueue_service import expansion, fields, listings, outcomes
from workqueue_service.enums import JobStatus, JobType
from workqueue_service.expansion import CannotExpand
from workqueue_service.listings import UPLOADED, Place
from workqueue_service.outcomes import MAX_TRIES_REACHED, Backoff, Outcome, header
from workqueue_service.statements import elements as sql
from workqueue_service.statements import listings as listings_sql
from workqueue_service.tokens import HandOut

REQUIRED = ("returncode", "host", "log", "timestamp")
OUT = (JobStatus.SUBMITTED, JobStatus.RUNNING)


@dataclass(frozen=True)
class Report:
    """One result. ``attempt`` is the number that a careful worker gives to it, so that it may be repeated."""

    job_id: int
    element_id: int
    lease: uuid.UUID
    returncode: int
    host: str
    log: str
    timestamp: str
    listing: Any
    attempt: int | None
    permanent: bool

    @classmethod
    def read(cls, hand_out: HandOut, body: Mapping[str, Any]) -> Self:
        """Check the body of a report; 400 when it is wrong."""
        fields.require(body, REQUIRED)
        returncode, log = body["returncode"], body["log"]
        if isinstance(returncode, bool) or not isinstance(returncode, int):
            raise fields.refuse("returncode must be a whole number")
        if not isinstance(log, str):
            raise fields.refuse("log must be a text")
        return cls(
            job_id=hand_out.job_id,
            element_id=hand_out.element_id,
            lease=hand_out.lease,
            returncode=returncode,
            host=_name(body["host"]),
            log=log,
            timestamp=_name(body["timestamp"]),
            listing=body.get("listing"),
            attempt=fields.optional_whole(body, "attempt", 1, 2**31 - 1),
            permanent=fields.flag(body, "permanent", False),
        )


def record(tx: Transaction, reports: Sequence[Report], worker: str, backoff: Backoff) -> list[ApiError | None]:
    """Record reports, and return for each of them ``None`` or why it is refused.

    A refused report changes nothing; what is wrong with a listing raises, as it may be half stored.
    """
    found = {(row["job_id"], row["id"]): row for row in _lock(tx, reports)}
    answers: list[ApiError | None] = []
    accepted: dict[tuple[int, int], tuple[Report, DictRow]] = {}
    for report in reports:
        key = (report.job_id, report.element_id)
        refusal, recorded = _judge(report, found.get(key), key in accepted)
        answers.append(refusal)
        if refusal is None and not recorded:
            accepted[key] = (report, found[key])
    ends = [_carry_out(tx, report, row, worker) for report, row in accepted.values()]
    outcomes.apply(tx, ends, backoff)
    outcomes.announce(tx, [end.job_id for end in ends])
    return answers


def token_refused(job_id: int, element_id: int) -> ApiError:
    """Return the answer to a token of another element, or of a hand-out that has ended."""
    return ApiError(403, f"Token not valid for element {element_id} of job {job_id}")


def _lock(tx: Transaction, reports: Sequence[Report]) -> list[DictRow]:
    ids = {"job_ids": [each.job_id for each in reports], "element_ids": [each.element_id for each in reports]}
    return tx.all(sql.lock_reported, ids)


def _judge(report: Report, row: DictRow | None, is_second: bool) -> tuple[ApiError | None, bool]:
    """Return a refusal or ``None``, and whether the report was recorded before (spec: workqueue 5.2)."""
    if row is None:
        return ApiError(404, f"No element {report.element_id} in job {report.job_id}"), False
    if report.lease != row["lease"]:
        return token_refused(report.job_id, report.element_id), False
    if report.attempt is not None and report.attempt <= row["attempts"]:
        return None, True
    if is_second:
        return fields.refuse("One element is reported twice in one request"), False
    if row["type"] == JobType.LIST and report.returncode == 0 and report.listing is None:
        return fields.refuse("Missing data attributes: ['listing']"), False
    if row["status"] not in OUT and not row["claimable"]:
        return fields.refuse(MAX_TRIES_REACHED), False
    return None, False


def _carry_out(tx: Transaction, report: Report, row: DictRow, worker: str) -> Outcome:
    """Store the listing of a LIST and create what follows from it; a tree that no job can carry is a failure."""
    ok, permanent, note = report.returncode == 0, report.permanent, ""
    if ok and row["type"] == JobType.LIST:
        try:
            note = _grow(tx, report, row)
        except CannotExpand as error:
            ok, permanent, note = False, True, f"Refused: {error}\n"
    log = header(report.host, report.returncode, report.timestamp) + report.log
    separator = "\n" if note and not log.endswith("\n") else ""
    return Outcome(report.job_id, report.element_id, ok, log + separator + note, worker, permanent and not ok)


def _grow(tx: Transaction, report: Report, row: DictRow) -> str:
    place = Place(report.job_id, report.element_id)
    if report.listing != UPLOADED:
        listings.store(tx, place, listings.of_object(report.listing))
    elif not tx.value(listings_sql.has_listing, place.values()):
        raise fields.refuse("No listing was uploaded")
    expansion.check(tx, place, row["job_type"])
    return expansion.expand(tx, place)


def _name(value: Any) -> str:
    """Return what stands in a log's first line: a text, or the first part of a resolver's answer (Q31)."""
    while isinstance(value, list) and value:
        value = value[0]
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return "".join(each if each.isprintable() else " " for each in text[:200])
