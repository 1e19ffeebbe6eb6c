"""The background process of scheduler-service."""

from datetime import timedelta

from chassis.database import Database
from chassis.events import EventLoop, broker_check
from chassis.health import database_check
from chassis.listen import Listener
from chassis.service import Background
from chassis.worker import Periodic
from scheduler_service import executions
from scheduler_service.container import SERVICE
from scheduler_service.engine.engine import Engine, database_time
from scheduler_service.engine.firing import Firing
from scheduler_service.engine.plans import Rules
from scheduler_service.paths import MIGRATIONS
from scheduler_service.settings import SchedulerSettings

LEASE_CHECK_SECONDS = 5.0


def background(settings: SchedulerSettings, database: Database) -> Background:
    """Return the components and readiness checks of the background process."""
    loop = EventLoop(database, settings.amqp_url.get_secret_value(), SERVICE)
    rules = Rules(settings.scheduler_misfire_policy, timedelta(seconds=settings.scheduler_misfire_grace))
    engine = Engine(Firing(database, rules, settings.scheduler_patience, database_time))
    listener = Listener(database.dsn, "scheduler-listener")
    engine.listen(listener)
    leases = Periodic("leases", LEASE_CHECK_SECONDS, lambda: executions.expire(database))
    checks = {
        "database": database_check(database, MIGRATIONS),
        "events": loop.check,
        "broker": broker_check(database),
    }
    return [loop, engine, leases, listener], checks
