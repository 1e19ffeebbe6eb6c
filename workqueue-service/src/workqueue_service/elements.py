"""Hand-out of elements to workers, by lease (spec: workqueue 5.1)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from psycopg.rows import DictRow

from chassis.database import Database, Transaction
from workqueue_service import fields
from workqueue_service.enums import JobType
from workqueue_service.statements import elements as sql
from workqueue_service.statements import jobs as jobs_sql

CLAIM_LOCK = 0x7701
DEFAULT_LIMIT = 20
MAX_LIMIT = 1_000
DEFAULT_SIZE = 150_000_000
GRIDFTP = "gsiftp"
DUMMY = "dummy"
# Time-outs of a PDM worker by type of job, in seconds; it does the jobs of a hand-out one after another.
PDM_TIMEOUTS = {JobType.COPY: 3600.0}
PDM_TIMEOUT = 120.0


@dataclass(frozen=True)
class Request:
    """What a worker asks for; ``transports`` is ``None`` for a PDM worker."""

    types: tuple[JobType, ...]
    limit: int
    size: int | None
    transports: tuple[str, ...] | None
    lease: float
    host: str

    @classmethod
    def read(cls, body: Mapping[str, Any], lease: float) -> Self:
        """Check the body of a request for work; 400 when it is wrong."""
        fields.require(body, ["types"])
        limit, size = _amount(body)
        return cls(
            types=_types(body["types"]),
            limit=limit,
            size=size,
            transports=_transports(body.get("transports")),
            lease=float(fields.whole(body, "lease", 5, 3600, int(lease))),
            host=fields.text(body, "host", 200, ""),
        )


@dataclass(frozen=True)
class Limits:
    """What the operator sets: transfers at once of a site without a limit, seconds added to PDM leases."""

    site_transfers: int
    lease_margin: float


@dataclass(frozen=True)
class Claim:
    """Jobs in the order in which to do them, each with the elements handed out."""

    jobs: Sequence[DictRow]
    elements: Mapping[int, Sequence[DictRow]]


def claim(tx: Transaction, request: Request, holder: str, limits: Limits) -> Claim | None:
    """Hand out what is next; no element is handed to two, ``None`` when there is nothing."""
    tx.execute(sql.lock_claims, {"lock": CLAIM_LOCK})
    rows = tx.all(sql.claim_elements, _values(request, holder, limits))
    if not rows:
        return None
    by_job: dict[int, list[DictRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["job_id"], row["id"])):
        by_job[row["job_id"]].append(row)
    jobs = tx.all(jobs_sql.jobs_by_id, {"ids": list(by_job)})
    tx.execute(sql.take_turns, {"user_ids": sorted({job["user_id"] for job in jobs})})
    if request.transports is None:
        _give_time(tx, jobs, rows, limits.lease_margin)
    return Claim(jobs, by_job)


def seconds_until_due(db: Database) -> float | None:
    """Return after how many seconds the next element that backs off can be handed out, ``None`` if none does."""
    seconds: float | None = db.value(sql.seconds_until_due)
    return seconds


def _values(request: Request, holder: str, limits: Limits) -> dict[str, Any]:
    is_pdm = request.transports is None
    transports = (GRIDFTP, DUMMY) if request.transports is None else request.transports
    return {
        "types": [int(each) for each in request.types],
        "transports": list(transports),
        "dummy": DUMMY in transports,
        "pdm": is_pdm,
        "limit": request.limit,
        "size": request.size,
        "holder": holder,
        "lease": request.lease,
        "site_transfers": limits.site_transfers,
    }


def _give_time(tx: Transaction, jobs: Sequence[DictRow], rows: Sequence[DictRow], margin: float) -> None:
    """Let leases last as long as a PDM worker may take: all jobs up to the element's own (spec: workqueue 5.4)."""
    total, seconds = margin, []
    for job in jobs:
        total += PDM_TIMEOUTS.get(JobType(job["type"]), PDM_TIMEOUT)
        seconds.append(total)
    ids = [job["id"] for job in jobs]
    tx.execute(sql.set_leases, {"job_ids": ids, "seconds": seconds, "leases": [row["lease"] for row in rows]})


def _types(value: Any) -> tuple[JobType, ...]:
    if not isinstance(value, list):
        raise fields.refuse("types must be a list of job types")
    try:
        return tuple(JobType.coerce(each) for each in value)
    except ValueError as error:
        raise fields.refuse(str(error)) from None


def _amount(body: Mapping[str, Any]) -> tuple[int, int | None]:
    """Return the most elements, and the most bytes of ``BY_SIZE``."""
    algorithm, arguments = body.get("algorithm") or "BY_NUMBER", body.get("algorithm.args") or {}
    if not isinstance(arguments, dict):
        raise fields.refuse("algorithm.args must be an object")
    known = {"BY_NUMBER": "limit", "BY_SIZE": "size"}
    name = known.get(algorithm.upper()) if isinstance(algorithm, str) else None
    if name is None or not arguments.keys() <= {name}:
        raise fields.refuse("algorithm must be BY_NUMBER with the argument limit, or BY_SIZE with the argument size")
    if name == "limit":
        return min(fields.whole(arguments, "limit", 0, fields.MAX_ID, DEFAULT_LIMIT), MAX_LIMIT), None
    return MAX_LIMIT, fields.whole(arguments, "size", 0, fields.MAX_ID, DEFAULT_SIZE)


def _transports(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or len(value) > 50:
        raise fields.refuse("transports must be a list of texts")
    return tuple(value)
