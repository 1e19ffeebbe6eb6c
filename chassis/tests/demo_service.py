"""A service small enough to test the processes of every service with."""

import threading
import time

from flask import Flask

from chassis.app import create_app
from chassis.cli import service_command
from chassis.database import Database
from chassis.service import Background, Service
from chassis.settings import Settings
from chassis.stopping import on_stop
from chassis.worker import Periodic


def make_app(settings: Settings, database: Database) -> Flask:
    """An application with one slow route."""
    app = create_app("demo", settings, style="tracker")

    @app.get("/slow")
    def slow() -> str:
        print("slow request began", flush=True)  # noqa: T201
        time.sleep(0.5)
        return "done"

    @app.get("/wait")
    def wait() -> str:
        woken = threading.Event()
        on_stop(woken.set)
        print("long poll began", flush=True)  # noqa: T201
        return str(woken.wait(60))

    @app.get("/clock")
    def clock() -> str:
        return str(database.value("SELECT 1"))

    return app


def background(settings: Settings, database: Database) -> Background:
    """One job that writes a line a turn."""
    return [Periodic("tick", 0.05, lambda: print("tick", flush=True))], {"always": lambda: None}  # noqa: T201


service = Service("demo", Settings, make_app, background)

if __name__ == "__main__":
    service_command("demo_service:service")()
