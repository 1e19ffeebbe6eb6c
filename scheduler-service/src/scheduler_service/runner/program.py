"""The process ``python -m scheduler_service runner``."""

import sys

from chassis.database import Database
from chassis.health import database_check
from chassis.listen import Listener
from chassis.logs import configure
from chassis.service import Background
from chassis.worker import Periodic, WorkerProcess
from scheduler_service import executions, runtimes
from scheduler_service.paths import MIGRATIONS
from scheduler_service.runner.choice import choose
from scheduler_service.runner.preparing import Preparing
from scheduler_service.settings import SchedulerSettings
from scheduler_service.sources.leases import Leases
from scheduler_service.sources.pool import Pool

SWEEP_SECONDS = 60.0


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = SchedulerSettings.load()
    configure("scheduler-runner", settings.log_level, settings.log_format, sys.stdout)
    url = settings.database_url.get_secret_value()
    with Database(url, name="taskyard-scheduler-runner", max_size=settings.database_connections) as database:
        components, checks = runner(settings, database)
        WorkerProcess(components, checks, settings.host, settings.port, settings.shutdown_grace).run()


def runner(settings: SchedulerSettings, database: Database) -> Background:
    """Return the components and readiness checks of a runner."""
    choice = choose(settings, database)
    pool = Pool(Leases.of(settings, database), choice.runners, settings.scheduler_runner_slots)
    listener = Listener(database.dsn, "scheduler-runner-listener")
    listener.on(executions.READY, lambda _: pool.ring(), missed=pool.ring)
    preparing = Preparing(database, choice.prepare)
    listener.on(runtimes.CHANGED, lambda _: preparing.ring(), missed=preparing.ring)
    checks = {"database": database_check(database, MIGRATIONS), "sandbox": choice.check}
    checks |= {"runners": pool.check, "runtimes": preparing.check}
    return [pool, preparing, listener, Periodic("leftovers", SWEEP_SECONDS, choice.sweep)], checks
