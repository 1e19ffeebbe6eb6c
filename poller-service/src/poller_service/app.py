"""The Flask application of poller-service."""

import atexit

from flask import Flask, Response
from werkzeug.exceptions import MethodNotAllowed

from chassis.app import create_app as chassis_app
from chassis.database import Database
from chassis.errors import render
from chassis.health import database_check
from chassis.idempotency import Idempotency
from chassis.idempotency import install as install_idempotency
from poller_service import api
from poller_service import container as containers
from poller_service.container import Container
from poller_service.paths import MIGRATIONS
from poller_service.settings import PollerSettings

MAX_BODY_BYTES = 1024 * 1024
STYLE = "error"


def create_app(settings: PollerSettings, database: Database) -> Flask:
    """Return the application of a real process, which hears of new jobs until the process ends."""
    container = containers.build(settings, database)
    container.listener.start()
    atexit.register(container.listener.stop, 5.0)
    return make_app(container)


def make_app(container: Container) -> Flask:
    """Return the application around ``container``; starts nothing."""
    checks = {"database": database_check(container.database, MIGRATIONS)}
    app = chassis_app(containers.SERVICE, container.settings, style=STYLE, checks=checks)
    # 64 KiB of configuration in the longest spelling that a form has for it, and room around it.
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES, MAX_FORM_PARTS=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.register_error_handler(405, _wrong_method)
    containers.install(app, container)
    install_idempotency(app, Idempotency(container.database))
    app.register_blueprint(api.blueprint)
    return app


def _wrong_method(error: MethodNotAllowed) -> Response:
    allowed = ", ".join(sorted(error.valid_methods or ()))
    body, media_type = render(STYLE, 405, f"this method is not accepted here: accepted are {allowed}")
    return Response(body, 405, {"Allow": allowed}, content_type=media_type)
