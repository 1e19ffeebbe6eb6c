"""The command that other services send (spec: poller 6)."""

from chassis.database import Transaction
from chassis.events import Event, Handlers
from chassis.events.commands import Commands
from poller_service import events, jobs
from poller_service.parameters import checked_user

handlers = Handlers()
commands = Commands("poller", handlers)


@commands.on(events.SUBMIT, result=["job_id"])
def submit(tx: Transaction, event: Event) -> dict[str, int]:
    """Create a job; everybody whom auth-service knows may, so the command's principal needs no further right."""
    job = jobs.create(tx, checked_user(event.data["user"]), event.data["config"])
    return {"job_id": job.job_id}
