"""Fires due jobs, many in one transaction (spec: scheduler 4.4, rules 2, 3 and 5)."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog

from chassis.database import Database, Transaction
from chassis.errors import ApiError
from chassis.queries import Queries
from scheduler_service import events, executions, inputs, occurrences
from scheduler_service.engine.metrics import LATENESS
from scheduler_service.engine.plans import Plan, Rules, plan

log = structlog.get_logger()
sql = Queries.beside(__file__, "firing.sql")

BATCH = 500
REPLACED = "Replaced by the next execution of the job."

Row = dict[str, Any]
Now = Callable[[Transaction], datetime]


class JobFailed(Exception):
    """A job cannot be fired, for a reason of its own"""

    def __init__(self, job_id: uuid.UUID) -> None:
        super().__init__(job_id)
        self.job_id = job_id


@dataclass(frozen=True)
class Firing:
    """Fires on one database by one clock; ``patience``: seconds until an execution that nobody takes ends."""

    database: Database
    rules: Rules
    patience: float
    now: Now

    def fire(self, limit: int = BATCH) -> int:
        """Fire at most ``limit`` due jobs and return how many; one that spoils the batch is paused, the others fire."""
        if limit == 1:
            return self._fire_alone()
        try:
            return self._fire(limit)
        except ApiError:
            raise
        except Exception as error:
            log.warning("batch_not_fired", jobs=limit, error=type(error).__name__)
        # By halves, so that it is found in few steps.
        half = limit // 2
        fired = self.fire(half)
        return fired + self.fire(limit - half) if fired == half else fired

    def _fire_alone(self) -> int:
        try:
            return self._fire(1)
        except JobFailed as failure:
            log.exception("job_not_fired", job_id=str(failure.job_id))
            return self.database.execute(sql.pause_job, {"id": failure.job_id})

    def _fire(self, limit: int) -> int:
        with self.database.transaction() as tx:
            now, fired = self.now(tx), []
            jobs = tx.all(sql.claim_due, {"now": now, "limit": limit})
            try:
                if jobs:
                    fired = self._fire_claimed(tx, jobs, now)
            except (ApiError, psycopg.OperationalError, psycopg.InterfaceError):
                # Nobody's fault: an outage must not cost a job.
                raise
            except Exception as error:
                if limit == 1:
                    raise JobFailed(jobs[0]["id"]) from error
                raise
        for row in fired:
            LATENESS.observe((now - row["planned_time"]).total_seconds())
        return len(jobs)

    def _fire_claimed(self, tx: Transaction, jobs: Sequence[Row], now: datetime) -> list[Row]:
        plans = {job["id"]: self._plan(job, now) for job in jobs}
        _replace(tx, [job["id"] for job in jobs if plans[job["id"]].replaces])
        fired = tx.all(sql.insert_executions, {"patience": self.patience, **_columns(jobs, plans)})
        finished = _advance(tx, jobs, plans)
        running = [row for row in fired if row["status"] == "running"]
        _count(tx, running)
        with tx.connection.pipeline():
            events.executions_started(tx, fired)
            executions.told_ends(tx, [row for row in fired if row["status"] != "running"])
            events.jobs_changed(tx, events.JOB_FINISHED, finished)
            if running:
                tx.execute(executions.sql.ring_runners, {"channel": executions.READY})
        return fired

    def _plan(self, job: Row, now: datetime) -> Plan:
        try:
            return plan(job, now, self.rules)
        except Exception:
            log.exception("job_not_planned", job_id=str(job["id"]))
            return Plan((), job["next_execution_time"], "paused", job["count"])


def _columns(jobs: Sequence[Row], plans: Mapping[uuid.UUID, Plan]) -> dict[str, list[Any]]:
    """Return the new executions, column by column."""
    firing = [(job, planned, _problem(job)) for job in jobs for planned in plans[job["id"]].fires]
    return {
        "ids": [str(uuid.uuid4()) for _ in firing],
        "job_ids": [job["id"] for job, _, _ in firing],
        "planned_times": [planned for _, planned, _ in firing],
        "function_ids": [job["target_id"] for job, _, _ in firing],
        "function_versions": [job["target_version"] for job, _, _ in firing],
        "sources": [job["source"] for job, _, _ in firing],
        "descriptions": [executions.description_of(job["id"]) for job, _, _ in firing],
        "inputs": [inputs.stored(job["function_input"]) for job, _, _ in firing],
        "results": [problem and executions.result(problem) for _, _, problem in firing],
    }


def _problem(job: Row) -> str | None:
    """Say why what the job names cannot run, ``None`` when it can (spec: scheduler 4.2)."""
    if job["function_alias"] is not None and job["alias_id"] is None:
        return f"FunctionAlias not found [name={job['function_alias']}]"
    if job["target_id"] is None:
        return f"Function not found [id={job['function_id']}]"
    if job["target_version"] and job["version_id"] is None:
        return f"FunctionVersion not found [function_id={job['target_id']}, version_number={job['target_version']}]"
    if job["runtime_id"] is not None and job["runtime_status"] != "available":
        return f"Runtime {job['runtime_id']} is not available."
    return None


def _replace(tx: Transaction, job_ids: list[uuid.UUID]) -> None:
    if job_ids:
        replaced = tx.all(sql.replace_executions, {"job_ids": job_ids, "result": executions.result(REPLACED)})
        executions.told_ends(tx, replaced)


def _advance(tx: Transaction, jobs: Sequence[Row], plans: Mapping[uuid.UUID, Plan]) -> list[Row]:
    """Move the jobs to what they are after this, and return those that are done."""
    after = [(job, plans[job["id"]]) for job in jobs]
    rows = tx.all(
        sql.advance_jobs,
        {
            "ids": [job["id"] for job, _ in after],
            "next_times": [plan.next_time for _, plan in after],
            "dues": [occurrences.due_at(job, plan.next_time) for job, plan in after],
            "statuses": [plan.status for _, plan in after],
            "counts": [plan.count for _, plan in after],
        },
    )
    return [row for row in rows if row["status"] == "done"]


def _count(tx: Transaction, fired: Sequence[Row]) -> None:
    functions = Counter(row["function_id"] for row in fired if not row["function_version"])
    versions = Counter((row["function_id"], row["function_version"]) for row in fired if row["function_version"])
    if functions:
        tx.execute(sql.count_functions, {"ids": list(functions), "counts": list(functions.values())})
    if versions:
        ids, numbers = [list(column) for column in zip(*versions, strict=True)]
        tx.execute(sql.count_versions, {"ids": ids, "versions": numbers, "counts": list(versions.values())})
