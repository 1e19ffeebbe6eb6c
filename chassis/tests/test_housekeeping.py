"""What the worker process of every service forgets."""

import uuid

from chassis.database import Database
from chassis.housekeeping import housekeeping, prune
from chassis.testing import MakeDatabase

ROWS = {
    "inbox": "INSERT INTO inbox (event_id, type, received_at) VALUES (%(id)s, 'x.y.z', now() - %(age)s::interval)",
    "answered_command": "INSERT INTO answered_command VALUES (%(id)s, '{}', now() - %(age)s::interval)",
    "sent_event": "INSERT INTO sent_event VALUES (nextval('outbox_id_seq'), 'x.y.z', '', now() - %(age)s::interval)",
    "idempotency": "INSERT INTO idempotency VALUES (decode(replace(%(id)s::text, '-', ''), 'hex'), %(id)s, '', '',"
    " now() - %(age)s::interval)",
}


def count(database: Database) -> dict[str, int]:
    return {table: database.value(f"SELECT count(*) FROM {table}") for table in ROWS}


def test_what_is_old_is_forgotten_and_the_rest_kept(make_database: MakeDatabase) -> None:
    database = make_database()
    for statement in ROWS.values():
        for age in ("1 hour", "40 days"):
            database.execute(statement, {"id": uuid.uuid4(), "age": age})
    assert set(count(database).values()) == {2}
    prune(database)
    assert set(count(database).values()) == {1}


def test_the_components_start_and_stop(make_database: MakeDatabase) -> None:
    for component in housekeeping(make_database()):
        component.start()
        component.stop(5)
