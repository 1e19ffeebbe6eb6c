"""The background process of scheduler-service."""

from chassis.database import Database
from chassis.events import EventLoop, broker_check
from chassis.health import database_check
from chassis.service import Background
from scheduler_service.container import SERVICE
from scheduler_service.paths import MIGRATIONS
from scheduler_service.settings import SchedulerSettings


def background(settings: SchedulerSettings, database: Database) -> Background:
    """Return the components and readiness checks of the background process."""
    loop = EventLoop(database, settings.amqp_url.get_secret_value(), SERVICE)
    checks = {
        "database": database_check(database, MIGRATIONS),
        "events": loop.check,
        "broker": broker_check(database),
    }
    return [loop], checks
