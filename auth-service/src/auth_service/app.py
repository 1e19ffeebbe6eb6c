"""The HTTP application of auth-service."""

from flask import Flask

from auth_service import container
from auth_service.api import BLUEPRINTS
from auth_service.checks import checks
from auth_service.settings import AuthSettings
from chassis import tracker_dialect
from chassis.app import create_app as create_base
from chassis.database import Database


def create_app(settings: AuthSettings, database: Database) -> Flask:
    """Return the application; it answers in the tracker's dialect (spec: tracker 1)."""
    app = create_base(container.NAME, settings, style="tracker", checks=checks(database))
    tracker_dialect.install(app)
    container.install(app, container.build(settings, database))
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app
