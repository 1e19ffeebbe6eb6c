"""The Flask application of poller-service."""

import atexit

from flask import Flask

from chassis.app import create_app as chassis_app
from chassis.database import Database
from chassis.health import database_check
from chassis.idempotency import Idempotency
from chassis.idempotency import install as install_idempotency
from chassis.stopping import on_stop
from poller_service import api
from poller_service import container as containers
from poller_service.container import Container
from poller_service.paths import MIGRATIONS
from poller_service.settings import PollerSettings

MAX_BODY_BYTES = 1024 * 1024


def create_app(settings: PollerSettings, database: Database) -> Flask:
    """Return the application of a real process, which hears of new jobs until the process ends."""
    container = containers.build(settings, database)
    container.listener.start()
    atexit.register(container.listener.stop, 5.0)
    on_stop(container.arrivals.close)
    return make_app(container)


def make_app(container: Container) -> Flask:
    """Return the application around ``container``; starts nothing."""
    checks = {"database": database_check(container.database, MIGRATIONS)}
    app = chassis_app(containers.SERVICE, container.settings, style="error", checks=checks)
    # 64 KiB of configuration in the longest spelling that a form has for it, and room around it.
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES, MAX_FORM_PARTS=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    containers.install(app, container)
    install_idempotency(app, Idempotency(container.database))
    app.register_blueprint(api.blueprint)
    return app
