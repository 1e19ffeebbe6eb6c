"""What was in a queue that somebody deleted, or on a broker that lost its disk, is sent again.

A consumer that finds no queue makes one and tells everybody; each service then sends again what the broker has
confirmed in the last day, of the types that this queue receives. Inboxes notice what had its effect before. What is
sent again can come after newer events of its subject: receivers compare versions, as ever.
"""

from collections.abc import Collection

from chassis.database import Database, Transaction
from chassis.events.envelope import Event
from chassis.events.outbox import publish
from chassis.events.schemas import CONSUMERS, schemas
from chassis.queries import Queries

sql = Queries.beside(__file__)

QUEUE_CREATED = "taskyard.queue.created"
REPEATS_SECONDS = (30.0, 300.0)
"""When to ask again after the first time: whoever lost its queue at the same moment has not heard it."""
PIECE = 5_000


def kept_types() -> list[str]:
    """Return the types that are worth to be kept: those that somebody receives."""
    received = (type_ for type_ in sorted(schemas().types) if schemas().documents[type_].get(CONSUMERS))
    return [type_ for type_ in received if type_ != QUEUE_CREATED]


def ask(tx: Transaction, service: str, types: Collection[str]) -> None:
    """Tell everybody that the service's queue is new."""
    data = {"service": service, "types": sorted(set(types) - {QUEUE_CREATED})}
    publish(tx, QUEUE_CREATED, f"queue/{service}", data, service=service)


def send_again(tx: Transaction, event: Event) -> None:
    """Put back into the outbox what the new queue has missed."""
    tx.execute(sql.send_again, {"types": list(event.data["types"])})


def prune(database: Database, days: int = 1) -> int:
    """Forget what was sent more than ``days`` ago and return how many; inboxes must remember longer."""
    forgotten = 0
    while piece := database.execute(sql.prune_sent, {"days": days, "limit": PIECE}):
        forgotten += piece
    return forgotten
