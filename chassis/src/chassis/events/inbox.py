"""Events that were handled, so that a second delivery has no second effect."""

from chassis.database import Database, Transaction
from chassis.events.envelope import Event
from chassis.queries import Queries

sql = Queries.beside(__file__)

PIECE = 5_000


def accept(tx: Transaction, event: Event) -> bool:
    """Note the event as handled if the transaction commits; ``False`` when it was handled before."""
    return tx.execute(sql.accept_event, {"id": event.id, "type": event.type}) == 1


def prune(database: Database, days: int = 14) -> int:
    """Forget events handled more than ``days`` days ago and return how many; for a periodic job.

    A delivery older than that would have its effect again, so keep more days than a dead letter may wait.
    """
    forgotten = 0
    while piece := database.execute(sql.prune_inbox, {"days": days, "limit": PIECE}):
        forgotten += piece
    return forgotten
