"""What workqueue-service tells the house (contracts/events/workqueue.*.json)."""

from collections.abc import Mapping
from typing import Any

from chassis.database import Transaction
from chassis.events import publish
from workqueue_service.enums import JobStatus, JobType

SUBMIT = "workqueue.job.submit"
SUBMITTED = "workqueue.job.submitted"
FINISHED = "workqueue.job.finished"
FAILED = "workqueue.job.failed"
CANCELLED = "workqueue.job.cancelled"
READY = "workqueue.elements.ready"


def job_submitted(tx: Transaction, job: Mapping[str, Any]) -> None:
    """Tell of a new job."""
    _tell(tx, SUBMITTED, job, {})


def job_ended(tx: Transaction, job: Mapping[str, Any]) -> None:
    """Tell that nothing more happens to a job: it is done, failed for good or cancelled."""
    ended = FINISHED if job["status"] == JobStatus.DONE else FAILED
    _tell(
        tx,
        CANCELLED if job["cancelled_at"] else ended,
        job,
        {name: job[name] for name in ("num_elements", "num_done", "num_failed")},
    )


def elements_ready(tx: Transaction, job_id: int, job_type: int) -> None:
    """Tell idle workers that there is something to do."""
    publish(tx, READY, f"job/{job_id}", {"job_id": job_id, "type": JobType(job_type).name})


def _tell(tx: Transaction, type_: str, job: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    data = {
        "job_id": job["id"],
        "user_id": job["user_id"],
        "type": JobType(job["type"]).name,
        "status": JobStatus(job["status"]).name,
        "src_siteid": job["src_siteid"],
        "dst_siteid": job["dst_siteid"],
        **more,
    }
    publish(tx, type_, f"job/{job['id']}", data)
