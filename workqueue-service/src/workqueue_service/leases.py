"""Leases that ended without a word: the worker is lost, which costs an attempt (spec: workqueue 5.4)."""

import structlog
from psycopg.rows import DictRow

from chassis.database import Database
from workqueue_service import jobs, outcomes
from workqueue_service.outcomes import Backoff, Outcome, header
from workqueue_service.statements import elements as sql
from workqueue_service.statements import jobs as jobs_sql
from workqueue_service.times import wire

log = structlog.get_logger()

PIECE = 500


def sweep(db: Database, backoff: Backoff) -> int:
    """Take elements back from lost workers, so that the next one gets them; return how many."""
    total = 0
    while taken := _take_back(db, backoff):
        total += taken
    return total


def end_without_login(db: Database, backoff: Backoff) -> None:
    """End jobs that wait for a log-in that is no longer valid: a readable end is better than a silent wait."""
    for row in db.all(jobs_sql.jobs_without_login):
        reason = f"No active login at site {row['site_id']} ({row['name']}): log in and try the job again"
        with db.transaction() as tx:
            jobs.end(tx, row["id"], reason, backoff)


def end_of_sites(db: Database, site_ids: list[int], backoff: Backoff) -> None:
    """End the jobs of sites that are gone."""
    for row in db.all(jobs_sql.open_jobs_of_sites, {"site_ids": site_ids}):
        with db.transaction() as tx:
            jobs.end(tx, row["id"], "A site of this job was deleted", backoff)


def _take_back(db: Database, backoff: Backoff) -> int:
    with db.transaction() as tx:
        rows = tx.all(sql.ended_leases, {"limit": PIECE})
        outcomes.apply(tx, [_lost(row) for row in rows], backoff)
        outcomes.announce(tx, [row["job_id"] for row in rows])
    for row in rows:
        log.warning("lease_ended", job=row["job_id"], element=row["id"], worker=row["holder"])
    return len(rows)


def _lost(row: DictRow) -> Outcome:
    worker = row["holder"] or ""
    text = f"The worker was lost: no sign of life for {row['lease_seconds']:g} seconds\n"
    return Outcome(row["job_id"], row["id"], False, header(worker, -1, wire()) + text, worker, keeps_lease=False)
