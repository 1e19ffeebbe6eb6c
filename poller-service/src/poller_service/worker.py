"""The background process of poller-service."""

from chassis.database import Database
from chassis.events import EventLoop, broker_check
from chassis.health import database_check
from chassis.service import Background
from poller_service.commands import handlers
from poller_service.container import SERVICE
from poller_service.paths import MIGRATIONS
from poller_service.settings import PollerSettings


def background(settings: PollerSettings, database: Database) -> Background:
    """Return the components and readiness checks of the background process."""
    loop = EventLoop(database, settings.amqp_url.get_secret_value(), SERVICE, handlers)
    checks = {
        "database": database_check(database, MIGRATIONS),
        "events": loop.check,
        "broker": broker_check(database),
    }
    return [loop], checks
