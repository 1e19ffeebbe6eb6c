"""The background process of tracker-service."""

from chassis.database import Database
from chassis.events import EventLoop, broker_check
from chassis.health import database_check
from chassis.service import Background
from chassis.worker import Component, Periodic, exclusively
from tracker_service import leases, logs, monitoring, task_events
from tracker_service.commands import handlers
from tracker_service.maintenance import Vacuum
from tracker_service.paths import MIGRATIONS
from tracker_service.settings import TrackerSettings

# Advisory locks of this database; 0x7403 is that of changes of chains (queries.sql).
SNAPSHOTS_LOCK = 0x7401
LOG_RETENTION_LOCK = 0x7402
LEASES_LOCK = 0x7405
VACUUM_LOCK = 0x7406
ENDED_LOCK = 0x7408
PRUNE_SECONDS = 600.0
VACUUM_SECONDS = 1.0
ENDED_SECONDS = 0.25


def background(settings: TrackerSettings, database: Database) -> Background:
    """Return the components and readiness checks of the background process."""
    loop = EventLoop(database, settings.amqp_url.get_secret_value(), "tracker", handlers)
    components: list[Component] = [loop, *_periodic_jobs(settings, database)]
    checks = {
        "database": database_check(database, MIGRATIONS),
        "broker": broker_check(database),
    }
    return components, checks


def _periodic_jobs(settings: TrackerSettings, database: Database) -> list[Periodic]:
    def take_snapshots() -> None:
        monitoring.take_snapshots(database, settings.snapshot_interval)
        monitoring.prune(database, settings.history_length)

    def prune_logs() -> None:
        logs.prune(database, settings.log_retention)

    def expire_leases() -> None:
        leases.expire(database)

    def tell_of_ended() -> None:
        task_events.tell_of_ended(database)

    return [
        Periodic("ended", ENDED_SECONDS, exclusively(database, ENDED_LOCK, tell_of_ended)),
        Periodic("leases", settings.reset_timed_out_tasks_interval, exclusively(database, LEASES_LOCK, expire_leases)),
        Periodic("vacuum", VACUUM_SECONDS, exclusively(database, VACUUM_LOCK, Vacuum(database))),
        Periodic("snapshots", settings.snapshot_interval, exclusively(database, SNAPSHOTS_LOCK, take_snapshots)),
        Periodic("log-retention", PRUNE_SECONDS, exclusively(database, LOG_RETENTION_LOCK, prune_logs)),
    ]
