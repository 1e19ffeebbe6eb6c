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
from scheduler_service.losses import expire
from scheduler_service.paths import MIGRATIONS
from scheduler_service.settings import SchedulerSettings
from scheduler_service.sources import commands
from scheduler_service.sources.http import HttpRunner
from scheduler_service.sources.leases import Leases
from scheduler_service.sources.pool import Pool
from scheduler_service.sources.work import Runner
from scheduler_service.turns import Turns

LEASE_CHECK_SECONDS = 5.0


def background(settings: SchedulerSettings, database: Database) -> Background:
    """Return the components and readiness checks of the background process."""
    loop = EventLoop(database, settings.amqp_url.get_secret_value(), SERVICE, commands.handlers)
    rules = Rules(settings.scheduler_misfire_policy, timedelta(seconds=settings.scheduler_misfire_grace))
    engine = Engine(Firing(database, rules, settings.scheduler_patience, database_time))
    listener = Listener(database.dsn, "scheduler-listener")
    engine.listen(listener)
    sender = Turns("sender", commands.Sender(database, settings.scheduler_patience).turn)
    leases = Leases.of(settings, database)
    pool = Pool(leases, _runners(settings), settings.scheduler_http_threads)
    listener.on(executions.READY, lambda _: _ring(sender, pool), missed=lambda: _ring(sender, pool))
    expiry = Periodic("leases", LEASE_CHECK_SECONDS, lambda: expire(database, leases.loss))
    checks = {
        "database": database_check(database, MIGRATIONS),
        "events": loop.check,
        "broker": broker_check(database),
        **{part.name: part.check for part in (engine, sender, pool)},
    }
    return [loop, sender, pool, engine, expiry, listener], checks


def _runners(settings: SchedulerSettings) -> dict[str, Runner]:
    return {"http": HttpRunner(settings.scheduler_http_networks)}


def _ring(*parts: Turns) -> None:
    for part in parts:
        part.ring()
