"""What poller-service tells the house (contracts/events/poller.*.json)."""

from chassis.database import Transaction
from chassis.events import publish
from poller_service.statuses import Status

CREATED = "poller.job.created"
STATUS_CHANGED = "poller.job.status_changed"
ANSWERED = "poller.command.answered"
SUBMIT = "poller.job.submit"


def job_created(tx: Transaction, job_id: int, user: str, version: int) -> None:
    """Tell of a new job."""
    publish(tx, CREATED, f"job/{job_id}", {"job_id": job_id, "user": user, "status": Status.NEW, "version": version})


def status_changed(tx: Transaction, job_id: int, user: str, status: str, previous: str, version: int) -> None:
    """Tell of a job's new status."""
    data = {"job_id": job_id, "user": user, "status": status, "previous": previous, "version": version}
    publish(tx, STATUS_CHANGED, f"job/{job_id}", data)


def command_answered(tx: Transaction, command_id: str, ok: bool, job_id: int | None, reason: str | None) -> None:
    """Tell the sender of a command what became of it."""
    data = {"command_id": command_id, "ok": ok, "job_id": job_id, "reason": reason}
    publish(tx, ANSWERED, f"command/{command_id}", data)
