"""Events on their way out: written with the change that they tell of, sent later by the relay."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

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
    [event_id] = publish_many(tx, type_, [(subject, data)], service=service)
    return event_id


def publish_many(
    tx: Transaction, type_: str, items: Iterable[tuple[str, Mapping[str, Any]]], *, service: str | None = None
) -> list[uuid.UUID]:
    """Send events of one type, each a subject with its data, by one statement; otherwise like :func:`publish`.

    They arrive in the order of ``items``; return their ids in that order.
    """
    sender = service or type_.partition(".")[0]
    events = [Event.new(type_, subject, data, service=sender) for subject, data in items]
    if events:
        envelopes = [event.dump().decode() for event in events]
        # As JSON: an array of texts full of quotes costs psycopg more time than all the rest.
        tx.execute(sql.insert_events, {"type": type_, "envelopes": orjson.dumps(envelopes).decode()})
    return [event.id for event in events]
