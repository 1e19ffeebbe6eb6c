"""What the service hears: commands of other services, and changes of workers."""

from chassis.database import Transaction
from chassis.events import Event, Handlers
from chassis.events.commands import Commands
from workqueue_service import events, fields, jobs
from workqueue_service.container import SERVICE
from workqueue_service.statements import house as sql
from workqueue_service.submission import Submission


def handlers(max_tries: int) -> Handlers:
    """Return the handlers of the service; ``max_tries`` is the most attempts that a job may ask for."""
    found = Handlers()

    @Commands(SERVICE, found).on(events.SUBMIT, result=["job_id"])
    def submit(tx: Transaction, event: Event) -> dict[str, object]:
        """Create a job for the account in whose name the command comes: its sites, its log-ins, its job."""
        principal = event.data["principal"]
        if principal["kind"] != "account":
            raise fields.refuse("Only accounts have file jobs")
        wanted = Submission.read(event.data["job"], max_tries)
        wanted.check_sites(tx, principal["id"])
        return {"job_id": jobs.create(tx, principal["id"], wanted)["id"]}

    @found.on("auth.worker.created")
    @found.on("auth.worker.updated")
    def worker_changed(tx: Transaction, event: Event) -> None:
        tx.execute(sql.tell_worker_changed, {"worker_id": event.data["worker_id"]})

    return found
