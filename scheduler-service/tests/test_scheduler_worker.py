"""The background process as a whole."""

import time
from datetime import timedelta
from typing import Any

from chassis.database import Database
from chassis.events.pgmq_broker import ensure_pgmq
from chassis.testing import Server
from scheduler_service.worker import background


def test_it_fires_what_a_client_plans(client: Any, database: Database, postgres_server: Server, settings: Any) -> None:
    """One database is the store, another the broker, as in the embedded run."""
    broker = postgres_server.create_database()
    ensure_pgmq(broker)
    amqp_url = type(settings.amqp_url)(broker.replace("postgresql://", "pgmq://", 1))
    components, checks = background(settings.model_copy(update={"amqp_url": amqp_url}), database)
    for component in components:
        component.start()
    try:
        deadline = time.monotonic() + 30
        while any(check() for check in checks.values()):
            assert time.monotonic() < deadline, {name: check() for name, check in checks.items()}
            time.sleep(0.01)
        job = client.job()
        due = database.value("SELECT clock_timestamp()") + timedelta(seconds=0.2)
        database.execute("UPDATE job SET due_at = %s", [due])
        database.execute("SELECT pg_notify('scheduler_due', '0')")
        while not database.value("SELECT count(*) FROM execution WHERE job_id = %s", [job["id"]]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        while database.value("SELECT count(*) FROM outbox"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        for component in reversed(components):
            component.stop(5)
