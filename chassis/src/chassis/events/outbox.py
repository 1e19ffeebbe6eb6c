"""Events on their way out: written with the change that they tell of, sent later by the relay."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
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
    store(tx, [(type_, event.dump()) for event in events])
    return [event.id for event in events]


def store(tx: Transaction, envelopes: Sequence[tuple[str, bytes]]) -> None:
    """Send envelopes that are made already, each with its type, in this order: one statement for each row of a type."""
    for type_, group in groupby(envelopes, itemgetter(0)):
        # As JSON: an array of texts full of quotes costs psycopg more time than all the rest.
        texts = orjson.dumps([envelope.decode() for _, envelope in group]).decode()
        tx.execute(sql.insert_events, {"type": type_, "envelopes": texts})
