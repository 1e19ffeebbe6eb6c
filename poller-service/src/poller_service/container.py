"""What the views need, made once per process."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from chassis.database import Database
from chassis.identity import Identity, auth_identity
from chassis.listen import Listener
from poller_service.arrivals import Arrivals
from poller_service.settings import PollerSettings

SERVICE = "poller"
NAME = "poller_service"


@dataclass(frozen=True)
class Container:
    """The parts of one API process."""

    settings: PollerSettings
    database: Database
    identity: Identity
    arrivals: Arrivals
    listener: Listener


def assemble(settings: PollerSettings, database: Database, identity: Identity) -> Container:
    """Put the parts together; the listener does not run yet."""
    arrivals = Arrivals()
    listener = Listener(database.dsn, "poller-listener")
    arrivals.listen(listener)
    return Container(settings, database, identity, arrivals, listener)


def build(settings: PollerSettings, database: Database) -> Container:
    """Return the container of a real process, which asks auth-service who is who."""
    return assemble(settings, database, auth_identity(settings, SERVICE))


def install(app: Flask, parts: Container) -> None:
    """Give the application its container."""
    app.extensions[NAME] = parts


def container() -> Container:
    """Return the container of the application that serves the current request."""
    return cast(Container, current_app.extensions[NAME])
