"""The background process of tracker-service."""

from chassis.database import Database
from chassis.health import database_check
from chassis.service import Background
from chassis.worker import Component, Periodic, exclusively
from tracker_service import logs
from tracker_service.paths import MIGRATIONS
from tracker_service.settings import TrackerSettings

LOG_RETENTION_LOCK = 0x7401
PRUNE_SECONDS = 600.0


def background(settings: TrackerSettings, database: Database) -> Background:
    """Return the components and readiness checks of the background process."""
    components: list[Component] = [
        Periodic(
            "log-retention",
            PRUNE_SECONDS,
            exclusively(database, LOG_RETENTION_LOCK, lambda: logs.prune(database, settings.log_retention)),
        ),
    ]
    return components, {"database": database_check(database, MIGRATIONS)}
