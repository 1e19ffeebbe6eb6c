"""What the views need, made once per process."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from chassis.database import Database
from chassis.identity import Identity, auth_identity
from chassis.listen import Listener
from scheduler_service.endings import Endings
from scheduler_service.settings import SchedulerSettings
from scheduler_service.times import Clock, utc_now

SERVICE = "scheduler"
NAME = "scheduler_service"


@dataclass(frozen=True)
class Container:
    """The parts of one API process."""

    settings: SchedulerSettings
    database: Database
    identity: Identity
    endings: Endings
    listener: Listener
    clock: Clock


def assemble(settings: SchedulerSettings, database: Database, identity: Identity, clock: Clock = utc_now) -> Container:
    """Put the parts together; the listener does not run yet."""
    endings = Endings()
    listener = Listener(database.dsn, "scheduler-listener")
    endings.listen(listener)
    return Container(settings, database, identity, endings, listener, clock)


def build(settings: SchedulerSettings, database: Database) -> Container:
    """Return the container of a real process, which asks auth-service who is who."""
    return assemble(settings, database, auth_identity(settings, SERVICE))


def install(app: Flask, parts: Container) -> None:
    """Give the application its container."""
    app.extensions[NAME] = parts


def container() -> Container:
    """Return the container of the application that serves the current request."""
    return cast(Container, current_app.extensions[NAME])
