"""The background process of workqueue-service."""

from chassis.database import Database
from chassis.events import EventLoop, broker_check
from chassis.health import database_check
from chassis.service import Background
from chassis.worker import Component, Periodic, exclusively
from workqueue_service import commands, leases
from workqueue_service.container import SERVICE, backoff
from workqueue_service.locations import MIGRATIONS
from workqueue_service.settings import WorkqueueSettings
from workqueue_service.statements import jobs as jobs_sql
from workqueue_service.statements import sites as sites_sql

SWEEP_LOCK = 0x7702
PRUNE_LOCK = 0x7703
PRUNE_SECONDS = 600.0
PIECE = 20


def background(settings: WorkqueueSettings, database: Database) -> Background:
    """Return the components and readiness checks of the background process."""
    loop = EventLoop(
        database, settings.amqp_url.get_secret_value(), SERVICE, commands.handlers(settings.workqueue_max_tries)
    )
    pauses = backoff(settings)

    def sweep() -> None:
        leases.sweep(database, pauses)
        leases.end_without_login(database, pauses)

    def prune() -> None:
        prune_jobs(database, settings.workqueue_keep_days)
        database.execute(sites_sql.prune_sessions)

    components: list[Component] = [
        loop,
        Periodic("sweep", settings.workqueue_sweep, exclusively(database, SWEEP_LOCK, sweep)),
        Periodic("prune", PRUNE_SECONDS, exclusively(database, PRUNE_LOCK, prune)),
    ]
    checks = {
        "database": database_check(database, MIGRATIONS),
        "events": loop.check,
        "broker": broker_check(database),
    }
    return components, checks


def prune_jobs(database: Database, days: float) -> int:
    """Forget jobs that ended more than ``days`` days ago, with everything that belongs to them; return how many."""
    forgotten = 0
    while piece := database.execute(jobs_sql.prune_jobs, {"days": days, "limit": PIECE}):
        forgotten += piece
    return forgotten
