"""What scheduler-service tells the house (contracts/events/scheduler.*.json)."""

from collections.abc import Iterable, Mapping
from typing import Any

from chassis.database import Transaction
from chassis.events import publish, publish_many
from scheduler_service.times import shown

JOB_CREATED = "scheduler.job.created"
JOB_UPDATED = "scheduler.job.updated"
JOB_DELETED = "scheduler.job.deleted"
JOB_FINISHED = "scheduler.job.finished"
EXECUTIONS_STARTED = "scheduler.executions.started"
EXECUTION_FINISHED = "scheduler.execution.finished"


def job_changed(tx: Transaction, type_: str, job: Mapping[str, Any]) -> None:
    """Tell what became of a job."""
    jobs_changed(tx, type_, [job])


def jobs_changed(tx: Transaction, type_: str, jobs: Iterable[Mapping[str, Any]]) -> None:
    """Tell what became of many jobs: thousands may end in the same second."""
    publish_many(tx, type_, [(f"job/{job['id']}", _job(job)) for job in jobs])


def executions_started(tx: Transaction, executions: Iterable[Mapping[str, Any]]) -> None:
    """Tell of new executions, all in one event: thousands of jobs may be due in the same second."""
    told = [
        {
            "execution_id": str(row["id"]),
            "project_id": row["project_id"],
            "function_id": row["function_id"] and str(row["function_id"]),
            "job_id": row["job_id"] and str(row["job_id"]),
            "planned_time": shown(row["planned_time"]),
        }
        for row in executions
    ]
    if told:
        publish(tx, EXECUTIONS_STARTED, "executions", {"executions": told})


def executions_finished(tx: Transaction, executions: Iterable[Mapping[str, Any]]) -> None:
    """Tell how many executions ended."""
    publish_many(tx, EXECUTION_FINISHED, [(f"execution/{row['id']}", _execution(row)) for row in executions])


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "job_id": str(job["id"]),
        "project_id": job["project_id"],
        "status": job["status"],
        "next_execution_time": shown(job["next_execution_time"]),
        "version": job["version"],
    }


def _execution(execution: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "execution_id": str(execution["id"]),
        "project_id": execution["project_id"],
        "function_id": execution["function_id"] and str(execution["function_id"]),
        "job_id": execution["job_id"] and str(execution["job_id"]),
        "planned_time": shown(execution["planned_time"]),
        "status": execution["status"],
    }
