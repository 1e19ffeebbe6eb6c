"""The Flask application of tracker-service."""

import atexit

from flask import Flask

from chassis import hot_routes, idempotency, tracker_dialect
from chassis.app import create_app as chassis_app
from chassis.database import Database
from chassis.health import database_check
from chassis.idempotency import Idempotency
from chassis.stopping import on_stop
from tracker_service import container as containers
from tracker_service.api import (
    access,
    git,
    index,
    internal,
    logs,
    maintenance,
    managers,
    monitoring,
    projects,
    secrets,
    tasks,
    workers,
)
from tracker_service.container import Container
from tracker_service.paths import MIGRATIONS
from tracker_service.settings import TrackerSettings

BLUEPRINTS = (
    index.blueprint,
    tasks.blueprint,
    maintenance.blueprint,
    projects.blueprint,
    access.blueprint,
    managers.blueprint,
    secrets.blueprint,
    logs.blueprint,
    monitoring.blueprint,
    git.blueprint,
    workers.blueprint,
    internal.blueprint,
)


def create_app(settings: TrackerSettings, database: Database) -> Flask:
    """Return the application of a real process, with its background parts running until the process ends."""
    container = containers.build(settings, database)
    container.start()
    on_stop(container.waiters.close)
    atexit.register(container.stop)
    return make_app(container)


def make_app(container: Container) -> Flask:
    """Return the application around ``container``; starts nothing."""
    checks = {"database": database_check(container.database, MIGRATIONS)}
    app = chassis_app(containers.SERVICE, container.settings, style="tracker", checks=checks)
    tracker_dialect.install(app)
    containers.install(app, container)
    idempotency.install(app, Idempotency(container.database))
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    hot_routes.install(app, "tasks.get", "tasks.get_any", "tasks.release", "tasks.bulk_release")
    return app
