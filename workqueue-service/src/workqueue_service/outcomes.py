"""Ends of hand-outs: the attempt is recorded, what waits for the element goes on, jobs that ended are announced."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chassis.database import Transaction
from workqueue_service import events
from workqueue_service.statements import elements as sql
from workqueue_service.statements import jobs as jobs_sql

MAX_LOG = 1_000_000
MAX_TRIES_REACHED = "Max tries reached, no more attempts allowed"


@dataclass(frozen=True)
class Outcome:
    """How one hand-out of an element ended; ``keeps_lease``: a late report under the same token is still welcome."""

    job_id: int
    element_id: int
    ok: bool
    log: str
    worker: str
    permanent: bool = False
    keeps_lease: bool = True
    reason: str | None = None


@dataclass(frozen=True)
class Backoff:
    """Seconds before the second attempt, and the longest pause; it doubles with every attempt."""

    first: float
    longest: float


def header(host: str, returncode: int, timestamp: str) -> str:
    """Return the first line of every stored log (spec: workqueue 3.6)."""
    return f"Job run on host: {host}, returncode: {returncode}, timestamp: {timestamp}\n"


def apply(tx: Transaction, outcomes: Sequence[Outcome], backoff: Backoff) -> None:
    """Record outcomes of elements that the transaction has locked; each makes one attempt."""
    if not outcomes:
        return
    rows = tx.all(sql.record_outcomes, {**_columns(outcomes), "first": backoff.first, "longest": backoff.longest})
    done = [row for row in rows if row["parent"] is not None and row["ended"] and row["status"] == 1]
    lost = [row for row in rows if row["parent"] is not None and row["ended"] and row["status"] != 1]
    if done:
        tx.execute(sql.release_parents, _pairs(done))
    if lost:
        tx.execute(sql.fail_ancestors, _pairs(lost))
    # Whoever is idle while there is work waits for a free place at a site, or for what has just failed.
    if tx.value(sql.any_claimable):
        tx.execute(jobs_sql.wake_workers)


def announce(tx: Transaction, job_ids: Iterable[int]) -> None:
    """Tell of those jobs that have ended in this transaction; call it last."""
    for job in tx.all(jobs_sql.announce_ended, {"ids": sorted(set(job_ids))}):
        events.job_ended(tx, job)


def _columns(outcomes: Sequence[Outcome]) -> dict[str, list[object]]:
    names = ("job_id", "element_id", "ok", "worker", "permanent", "keeps_lease", "reason")
    columns: dict[str, list[object]] = {f"{name}s": [getattr(each, name) for each in outcomes] for name in names}
    return {**columns, "logs": [_storable(each.log) for each in outcomes]}


def _storable(log: str) -> str:
    clean = log.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return clean if len(clean) <= MAX_LOG else clean[:MAX_LOG] + "\n(the rest of this log was too long to keep)\n"


def _pairs(rows: Sequence[dict[str, object]]) -> dict[str, list[object]]:
    return {"job_ids": [row["job_id"] for row in rows], "parents": [row["parent"] for row in rows]}
