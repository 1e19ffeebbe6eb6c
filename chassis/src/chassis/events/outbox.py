"""Events on their way out: written with the change that they tell of, sent later by the relay."""

import uuid
from collections.abc import Mapping
from typing import Any

from chassis.database import Transaction
from chassis.events.envelope import Event
from chassis.queries import Queries

sql = Queries.beside(__file__)


def publish(
    tx: Transaction, type_: str, subject: str, data: Mapping[str, Any], *, service: str | None = None
) -> uuid.UUID:
    """Send an event if, and only if, the transaction commits; return the event's id.

    Events of one subject arrive in the order of the calls when each caller has locked or changed the subject's
    row before. ``service`` is the sender; by default it is the type's first word, which is wrong for commands.
    Raises :class:`chassis.events.envelope.InvalidEvent` when the data break ``contracts/events/<type>.json``.
    """
    event = Event.new(type_, subject, data, service=service or type_.partition(".")[0])
    tx.execute(sql.insert_event, {"type": type_, "envelope": event.dump().decode()})
    return event.id
