"""The Flask application of workqueue-service."""

import atexit

from flask import Flask, Response
from werkzeug.exceptions import MethodNotAllowed

from chassis.app import create_app as chassis_app
from chassis.database import Database
from chassis.errors import render
from chassis.health import database_check
from chassis.stopping import on_stop
from workqueue_service import container as containers
from workqueue_service.api import BLUEPRINTS, routes
from workqueue_service.container import Container
from workqueue_service.locations import MIGRATIONS
from workqueue_service.settings import WorkqueueSettings

STYLE = "error"


def create_app(settings: WorkqueueSettings, database: Database) -> Flask:
    """Return the application of a real process, which hears of work until the process ends."""
    container = containers.build(settings, database)
    container.listener.start()
    on_stop(container.bells.close)
    atexit.register(container.listener.stop, 5.0)
    return make_app(container)


def make_app(container: Container) -> Flask:
    """Return the application around ``container``; starts nothing."""
    checks = {"database": database_check(container.database, MIGRATIONS)}
    app = chassis_app(containers.SERVICE, container.settings, style=STYLE, checks=checks)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.register_error_handler(405, _no_such_route)
    routes.prepare(app)
    containers.install(app, container)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def _no_such_route(_: MethodNotAllowed) -> Response:
    """Answer a wrong method as an unknown path (spec: workqueue 1)."""
    body, media_type = render(STYLE, 404, "Not found")
    return Response(body, 404, content_type=media_type)
