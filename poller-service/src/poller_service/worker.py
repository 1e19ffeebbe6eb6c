"""The background process of poller-service."""

from chassis.database import Database
from chassis.events import EventLoop, broker_check, inbox
from chassis.health import database_check
from chassis.idempotency import Idempotency
from chassis.service import Background
from chassis.worker import Component, Periodic, exclusively
from poller_service import commands
from poller_service.container import SERVICE
from poller_service.paths import MIGRATIONS
from poller_service.settings import PollerSettings

PRUNE_LOCK = 0x7001
PRUNE_SECONDS = 3600.0


def background(settings: PollerSettings, database: Database) -> Background:
    """Return the components and readiness checks of the background process."""
    loop = EventLoop(database, settings.amqp_url.get_secret_value(), SERVICE, commands.handlers)

    def prune() -> None:
        Idempotency(database).prune()
        inbox.prune(database)
        commands.prune(database)

    components: list[Component] = [loop, Periodic("prune", PRUNE_SECONDS, exclusively(database, PRUNE_LOCK, prune))]
    checks = {
        "database": database_check(database, MIGRATIONS),
        "events": loop.check,
        "broker": broker_check(database),
    }
    return components, checks
