"""What the views need, made once per process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from chassis.contracts import Contract
from chassis.database import Database
from chassis.identity import Identity, Principal, WorkerCache, auth_identity
from chassis.internal import InternalClient
from chassis.listen import Listener
from tracker_service.claims import Claims
from tracker_service.logs import LogWriter
from tracker_service.principals import WORKER_CHANGED, Accounts, AuthAccounts, ReadModel
from tracker_service.releases import Releases
from tracker_service.settings import TrackerSettings
from tracker_service.submissions import Submissions
from tracker_service.waiters import Waiters

SERVICE = "tracker"
NAME = "tracker_service"

MakeIdentity = Callable[[WorkerCache, Callable[[Principal], None]], Identity]


@dataclass(frozen=True)
class Container:
    """The parts of one API process; ``start`` and ``stop`` are for those that run in the background."""

    settings: TrackerSettings
    database: Database
    contract: Contract
    identity: Identity
    accounts: Accounts
    read_model: ReadModel
    listener: Listener
    log_writer: LogWriter
    waiters: Waiters
    claims: Claims
    releases: Releases
    submissions: Submissions

    def start(self) -> None:
        """Start what runs in the background."""
        self.listener.start()
        self.log_writer.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Store what is waiting and end the background parts, in ``timeout`` seconds each."""
        self.log_writer.stop(timeout)
        self.listener.stop(timeout)


def assemble(
    settings: TrackerSettings, database: Database, make_identity: MakeIdentity, accounts: Accounts
) -> Container:
    """Put the parts together; nothing runs yet."""
    cache = WorkerCache(settings.credential_cache_seconds)
    read_model = ReadModel(database)
    listener = Listener(database.dsn, "tracker-listener")
    listener.on(WORKER_CHANGED, lambda worker_id: cache.drop(int(worker_id)), missed=cache.clear)
    waiters = Waiters()
    waiters.attach(listener)
    return Container(
        settings=settings,
        database=database,
        contract=Contract.load("tracker"),
        identity=make_identity(cache, read_model.remember),
        accounts=accounts,
        read_model=read_model,
        listener=listener,
        log_writer=LogWriter(database, settings.stored_log_levels),
        waiters=waiters,
        claims=Claims(database, waiters),
        releases=Releases(database),
        submissions=Submissions(database),
    )


def build(settings: TrackerSettings, database: Database) -> Container:
    """Return the container of a real process, which asks auth-service who is who."""
    client = InternalClient(
        settings.auth_url, service="auth", caller=SERVICE, key=settings.internal_key.get_secret_value()
    )

    def make_identity(cache: WorkerCache, on_worker: Callable[[Principal], None]) -> Identity:
        return auth_identity(settings, SERVICE, cache=cache, on_worker=on_worker)

    return assemble(settings, database, make_identity, AuthAccounts(client))


def install(app: Flask, container: Container) -> None:
    """Give the application its container."""
    app.extensions[NAME] = container


def container() -> Container:
    """Return the container of the application that serves the current request."""
    return cast(Container, current_app.extensions[NAME])
