"""What poller-service tells the house (contracts/events/poller.*.json)."""

from chassis.database import Transaction
from chassis.events import publish
from poller_service.statuses import Status

CREATED = "poller.job.created"
STATUS_CHANGED = "poller.job.status_changed"
SUBMIT = "poller.job.submit"


def job_created(tx: Transaction, job_id: int, user: str, version: int) -> None:
    """Tell of a new job."""
    publish(tx, CREATED, f"job/{job_id}", {"job_id": job_id, "user": user, "status": Status.NEW, "version": version})


def status_changed(tx: Transaction, job_id: int, user: str, status: str, previous: str, version: int) -> None:
    """Tell of a job's new status."""
    data = {"job_id": job_id, "user": user, "status": status, "previous": previous, "version": version}
    publish(tx, STATUS_CHANGED, f"job/{job_id}", data)
