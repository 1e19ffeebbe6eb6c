"""The Flask application of scheduler-service."""

import atexit

from flask import Flask

from chassis.app import create_app as chassis_app
from chassis.database import Database
from chassis.health import database_check
from chassis.idempotency import Idempotency
from chassis.idempotency import install as install_idempotency
from chassis.stopping import on_stop
from scheduler_service import container as containers
from scheduler_service import faults
from scheduler_service.api import (
    aliases,
    documents,
    executions,
    functions,
    invocations,
    jobs,
    runtimes,
    versions,
    webhooks,
)
from scheduler_service.container import Container
from scheduler_service.paths import MIGRATIONS
from scheduler_service.settings import SchedulerSettings

RESOURCES = (jobs, functions, versions, aliases, executions, runtimes, webhooks, invocations, documents)


def create_app(settings: SchedulerSettings, database: Database) -> Flask:
    """Return the application of a real process, which hears of ended executions until the process ends."""
    container = containers.build(settings, database)
    container.listener.start()
    atexit.register(container.listener.stop, 5.0)
    on_stop(container.endings.close)
    return make_app(container)


def make_app(container: Container) -> Flask:
    """Return the application around ``container``; starts nothing."""
    checks = {"database": database_check(container.database, MIGRATIONS)}
    app = chassis_app(containers.SERVICE, container.settings, style="faultstring", checks=checks)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # spec: scheduler 1.1: a trailing slash changes nothing, and nothing is ever redirected.
    app.url_map.strict_slashes = False
    app.after_request(faults.complete)
    containers.install(app, container)
    install_idempotency(app, Idempotency(container.database))
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
    return app
