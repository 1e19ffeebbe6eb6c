"""What the worker process of every service does besides its own work."""

from chassis.database import Database
from chassis.events import commands, inbox, resend
from chassis.idempotency import Idempotency
from chassis.worker import Component, Periodic, exclusively

PRUNE_LOCK = 0x63680001
PRUNE_SECONDS = 600.0
REPEAT_SECONDS = 5.0


def housekeeping(database: Database) -> list[Component]:
    """Return components that forget old rows of the chassis and repeat commands."""

    def repeat() -> None:
        commands.repeat_unanswered(database)

    return [
        Periodic("housekeeping", PRUNE_SECONDS, exclusively(database, PRUNE_LOCK, lambda: prune(database))),
        Periodic("commands", REPEAT_SECONDS, repeat),
    ]


def prune(database: Database) -> None:
    """Forget what nobody asks for any more."""
    Idempotency(database).prune()
    inbox.prune(database)
    commands.prune(database)
    resend.prune(database)
