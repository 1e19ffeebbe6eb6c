"""What must be well for auth-service to be ready."""

from collections.abc import Mapping
from pathlib import Path

from chassis.database import Database
from chassis.events.health import broker_check
from chassis.health import Check, database_check

MIGRATIONS = Path(__file__).with_name("migrations")


def checks(database: Database) -> Mapping[str, Check]:
    """Return the checks of the API and of the background process."""
    return {"database": database_check(database, MIGRATIONS)}


def background_checks(database: Database) -> Mapping[str, Check]:
    """Return the checks of the background process, which also brings events to the broker."""
    return {**checks(database), "broker": broker_check(database)}
