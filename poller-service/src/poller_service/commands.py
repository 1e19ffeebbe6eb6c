"""Commands that other services send (spec: poller 6): each has its effect once and is answered at every repetition."""

from typing import Any

from chassis.database import Database, Transaction
from chassis.events import Event, Handlers
from chassis.queries import Queries
from poller_service import events, jobs
from poller_service.parameters import checked_user
from poller_service.refused import Refused

sql = Queries.beside(__file__)
handlers = Handlers()

KEPT_DAYS = 30
"""How long a repeated command gets its first answer instead of a second effect."""


@handlers.on(events.SUBMIT)
def submit(tx: Transaction, event: Event) -> None:
    """Create a job, unless the command did so before, and answer.

    A sender repeats the command in a new event with the same ``command_id``; without one the event's id counts.
    Everybody whom auth-service knows may add jobs, so the command's principal needs no further right.
    """
    command_id = event.data.get("command_id") or str(event.id)
    if tx.execute(sql.accept_command, {"command_id": command_id}):
        _carry_out(tx, command_id, event)
    answer = tx.one(sql.answer_of_command, {"command_id": command_id})
    assert answer is not None
    events.command_answered(tx, command_id, answer["ok"], answer["job_id"], answer["reason"])


def prune(database: Database) -> int:
    """Forget commands that were answered more than ``KEPT_DAYS`` days ago and return how many."""
    return database.execute(sql.prune_commands, {"days": KEPT_DAYS})


def _carry_out(tx: Transaction, command_id: str, event: Event) -> None:
    try:
        job = jobs.create(tx, checked_user(event.data["user"]), event.data["config"])
        answer: dict[str, Any] = {"ok": True, "job_id": job.job_id, "reason": None}
    except Refused as refusal:
        answer = {"ok": False, "job_id": None, "reason": refusal.message}
    tx.execute(sql.answer_command, {"command_id": command_id, **answer})
